"""Annotation files: official ones, the lists that others publish, and finding the videos that they name."""
