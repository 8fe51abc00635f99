"""Random and coverage-guided input for all that reads what others write; each target is a file of its own."""
