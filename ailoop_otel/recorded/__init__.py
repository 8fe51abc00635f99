"""Telemetry that was written to files, read back: lines, batches, spans."""
