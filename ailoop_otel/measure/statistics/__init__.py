"""Percentiles, confidence intervals and estimates."""
