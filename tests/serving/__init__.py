"""Servers as separate processes: the stand-ins, and the real ones that AILOOP_CHECKOUT names."""
