"""Experiments of several trials: small ones trained many at a time as one computation, large ones one by one."""
