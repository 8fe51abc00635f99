"""Tests of `ailoop_otel.tracking`."""
