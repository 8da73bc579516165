"""Learned prompts and a light temporal Transformer on frozen CLIP: score a video against a list of texts."""
