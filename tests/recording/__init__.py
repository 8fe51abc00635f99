"""Tests of `ailoop_otel.recording`."""
