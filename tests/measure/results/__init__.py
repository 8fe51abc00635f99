"""Tests of ailoop_otel.measure.results."""
