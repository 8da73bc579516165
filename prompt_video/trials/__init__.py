"""Experiments of several trials: small ones side by side in processes of their own, large ones one by one."""
