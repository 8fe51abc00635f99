"""Sends recorded telemetry into a collector, each export once."""
