"""Exchanges that are slow for a known reason, on running servers, and what `explain` says of them."""
