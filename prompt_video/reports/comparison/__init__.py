"""Runs side by side: what several of them came to, with published figures beside them."""
