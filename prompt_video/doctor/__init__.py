"""Looks at everything that an experiment will use, before it runs."""
