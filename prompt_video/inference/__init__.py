"""A trained model, or the frozen CLIP, on anyone's videos and words, without a run around it."""
