"""Versions of ONNX's operators."""

# Torch writes none below; from 23 on it writes an attention that onnxruntime 1.32 does not run with a mask.
OPSETS = range(18, 23)
OPSET = 18
