"""Decoding video files, exactly and with as little work as that takes."""
