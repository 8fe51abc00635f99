"""Telemetry as a person reads it in a terminal."""
