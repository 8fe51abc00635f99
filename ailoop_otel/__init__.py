"""OpenTelemetry for the AILoop chat server."""
