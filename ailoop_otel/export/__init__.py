"""Where telemetry goes: to the exporters that `OTEL_*` names, else into files of bounded size and age."""
