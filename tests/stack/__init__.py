"""Tests through the real collector into the real Jaeger and Prometheus."""
