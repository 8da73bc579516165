"""The frozen image-text model: tokens, text tower, image tower, preprocessing."""
