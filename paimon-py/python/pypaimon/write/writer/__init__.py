"""Where Daft looks for the class that writes data files."""
