"""The built-in CLIP: its weights, and the run that made them."""
