"""Observes the server's WebSockets: middleware, connections, JSON-RPC calls, and where an exchange ends."""
