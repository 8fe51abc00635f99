"""A client of AILoop: one WebSocket connection, one session, and the timing of each message."""
