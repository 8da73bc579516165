"""The feature store: frame features of the frozen backbone, computed once and read many times."""
