"""A trained model, or the frozen backbone, on anyone's videos and words, without a run around it."""
