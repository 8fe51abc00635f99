"""The matrix of starts: each server, each neighbour in the process and each Python, from a run of its own."""
