"""Exporters, the pipeline, and what happens when they fail."""
