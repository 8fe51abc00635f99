"""Runs from a server's recorded telemetry, alone or joined with a client's run."""
