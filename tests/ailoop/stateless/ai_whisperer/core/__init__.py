"""Part of the stand-in for the current generation of AILoop."""
