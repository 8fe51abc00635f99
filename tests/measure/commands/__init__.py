"""Tests of ailoop_otel.measure.commands."""
