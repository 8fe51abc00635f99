"""Tests of ailoop_otel.measure.statistics."""
