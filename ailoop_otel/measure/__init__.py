"""Load scenarios, statistics, verdicts and reports for any AILoop server at an address."""
