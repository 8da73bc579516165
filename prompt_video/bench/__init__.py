"""Measurements of what this framework claims to be fast at; each module's ``run`` returns its figures."""
