"""No middleware at all."""

from __future__ import annotations

from tests.benchmarks.inside.contender import Contender


def start(variant: str) -> Contender:
    """Nothing."""
    return Contender()
