"""Tests of ailoop_otel.measure.telemetry."""
