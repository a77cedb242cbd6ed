"""Names, options and predicates."""
