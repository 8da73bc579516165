"""The built-in worlds, rendered to real video files, and synthetic files in the official formats."""
