"""The feature store: frame features of the frozen CLIP, computed once and read many times."""
