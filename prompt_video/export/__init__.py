"""Trained models for other programs: ONNX graphs with a bank of classes, and folders for the HuggingFace hub."""
