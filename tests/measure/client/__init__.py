"""Tests of ailoop_otel.measure.client."""
