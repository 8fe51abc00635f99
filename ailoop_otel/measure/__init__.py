"""Load scenarios, statistics, verdicts and reports for any AILoop server at an address."""

from __future__ import annotations

from typing import Final

EXTRA: Final = "pip install 'ailoop-otel[measure]'"
"""The command that installs the libraries of the measuring kit."""


class Refusal(Exception):
    """A request that cannot be met; the text is one line that names what to change. Exit code 2."""
