"""The ailoop fixture of the pytest plugin, and the summary of a test run."""
