"""Teach by example: a few clips of each action in, a model out that knows them, and how well."""
