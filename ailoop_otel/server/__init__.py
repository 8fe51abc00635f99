"""Hooks inside the server: which of its functions are wrapped, and what is recorded of each."""
