"""The options of a load curve, `measure --rates 1,2,4`, as settings of a scenario: a ramp over the given levels."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

from ailoop_otel.measure import Refusal
from ailoop_otel.measure.load.scenario import OPEN, RATE, SESSIONS
from ailoop_otel.measure.verdict.targets import VALUE, Targets

SCENARIO: Final = "mixed"
"""The scenario of a load curve where none is named."""
# Settings of a level, and the targets that set them.
_CRITERIA: Final = {
    "stable.first_chunk_p95": ("first_chunk", "p95"),
    "stable.completion_p95": ("completion", "p95"),
    "stable.errors": ("error_rate", VALUE),
}


def settings(rates: str, sessions: str, seconds: float | None, targets: Targets | None) -> Iterator[str]:
    """The settings, `key=value`, of a load curve over rates (messages/s) or sessions; none without either.

    A level lasts `seconds`; what `targets` say of p95 and errors decides whether it is stable. Raises Refusal for
    levels that are no numbers, and for options that disagree.
    """
    if rates and sessions:
        raise Refusal("--rates and --sessions are two load curves; leave one of them out")
    if not rates and not sessions:
        if seconds is not None:
            raise Refusal("--seconds is for a level of --rates or --sessions; a run lasts --set duration=SECONDS")
        return
    if rates:
        yield f'loop="{OPEN}"'
    yield f'ramp.of="{RATE if rates else SESSIONS}"'
    yield f"ramp.levels={_levels(rates or sessions, '--rates' if rates else '--sessions')}"
    if seconds is not None:
        yield f"ramp.seconds={seconds}"
    yield "duration=86400"
    for key, (metric, figure) in _CRITERIA.items():
        limit = targets.limit(metric, figure) if targets is not None else None
        if limit is not None:
            yield f"{key}={limit}"


def _levels(text: str, option: str) -> list[float]:
    try:
        levels = [float(each) for each in text.split(",")]
    except ValueError:
        levels = []
    if not levels or not all(math.isfinite(each) for each in levels):
        raise Refusal(f"{option} {text!r} are no levels: write {option} 1,2,4,8")
    return levels
