"""How telemetry is recorded: tracer, instruments, clock, and the fast paths beside the SDK."""
