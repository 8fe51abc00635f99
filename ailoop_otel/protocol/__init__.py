"""How AILoop's servers speak: frames, dialects, and the one reader of answers. Pure: no telemetry, no sockets."""
