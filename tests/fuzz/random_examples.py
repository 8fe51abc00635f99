"""Random examples with structure, by hypothesis, which makes the smallest that fails of one that fails."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded

from tests.fuzz.target import Target


def run(target: Target, examples: int, seed: int) -> int:
    """Check so many examples; returns how many were checked, and raises what one of them raised."""
    checked = 0

    @seeded(seed)
    @settings(
        max_examples=max(1, examples),
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
    )
    @given(target.examples)
    def check(example: Any) -> None:
        nonlocal checked
        checked += 1
        target.check(example)

    check()
    return checked
