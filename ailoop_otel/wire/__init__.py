"""The wire: what a WebSocket shows of messages, answers, sessions and failures."""
