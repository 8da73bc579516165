"""Runs as pictures and pages."""
