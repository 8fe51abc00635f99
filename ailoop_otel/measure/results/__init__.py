"""One run: metric definitions, observations, their context, and the run directory."""
