"""Recorded telemetry sent into a collector."""
