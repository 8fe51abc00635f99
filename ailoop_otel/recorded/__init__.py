"""Reads telemetry back from the OTLP JSON Lines files that the embedded default writes."""
