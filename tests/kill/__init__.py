"""Servers that are killed at random moments, and what their telemetry is worth afterwards."""
