"""The data sets, one a file: what is on disk and what its lists say, for the protocols to choose from."""
