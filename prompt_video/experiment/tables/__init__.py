"""Many runs as one table: rows of experiments, methods and settings, several seeds each; a sweep is such a table."""
