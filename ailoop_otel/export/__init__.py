"""Where telemetry goes: the user's exporters as `OTEL_*` says, else files that bound themselves."""
