"""Whether a run meets its targets and its baseline."""
