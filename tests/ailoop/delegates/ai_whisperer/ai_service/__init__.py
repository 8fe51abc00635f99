"""Part of the stand-in for the earlier generation of AILoop."""
