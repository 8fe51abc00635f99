"""The tests of ailoop-otel."""
