"""Files and folders on disk: found, listed, read strictly and written whole."""
