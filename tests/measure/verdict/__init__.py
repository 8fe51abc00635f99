"""Tests of ailoop_otel.measure.verdict."""
