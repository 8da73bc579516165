"""Experiments of several trials: small ones trained several at a time as one module, large ones one by one."""
