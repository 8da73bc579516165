"""Verbs of the command line that are no Lightning runs; each module has a ``main(arguments)``."""
