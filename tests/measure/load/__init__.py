"""Tests of ailoop_otel.measure.load."""
