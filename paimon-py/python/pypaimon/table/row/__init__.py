"""Values of columns."""
