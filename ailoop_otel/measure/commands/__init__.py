"""The commands measure, report, compare and ab."""
