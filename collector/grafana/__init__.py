"""Grafana: a dashboard written in Python, kept as JSON, and what makes Grafana find it."""
