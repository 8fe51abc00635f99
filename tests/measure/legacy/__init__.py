"""Tests of ailoop_otel.measure.legacy."""
