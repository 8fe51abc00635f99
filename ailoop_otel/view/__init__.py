"""Shows telemetry, and the findings of the doctor, in a terminal."""
