"""How it gets into the web framework, and out again."""
