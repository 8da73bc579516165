"""What surrounds a run: its folder, its loggers, its progress bar."""
