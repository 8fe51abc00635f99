"""Load scenarios, statistics, verdicts and reports for any AILoop server at an address."""

from __future__ import annotations

from typing import Final

from ailoop_otel.settings import UsageError

EXTRA: Final = "pip install 'ailoop-otel[measure]'"
"""The command that installs the libraries of the measuring kit."""


class Refusal(UsageError):
    """As its base class, of the measuring kit. Exit code 2."""
