"""The built-in worlds, rendered to real video files, and made-up files in the official formats."""
