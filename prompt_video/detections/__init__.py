"""Detections as files for people, and which of them are worth a look."""
