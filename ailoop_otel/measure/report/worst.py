"""The worst exchanges of a run, and where each one's trace is opened."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import Final

from ailoop_otel.measure.report.exchanges import Exchange

MOST: Final = 10
RULE: Final = (
    "Failed exchanges take at most half of the places while there are others, each kind in turn, the longest first; "
    "the rest are the slowest that succeeded."
)
_TRACE_ID: Final = re.compile(r"[0-9a-f]{16,32}")
_ADDRESS: Final = re.compile(r"https?://[^\s<>\"'`()\[\]\\]+")


def worst(seen: Iterable[Exchange], most: int = MOST) -> list[Exchange]:
    """At most so many of the worst exchanges, by the rule above; a run without failures has its slowest."""
    ordered = sorted(seen, key=lambda each: each.seconds, reverse=True)
    failed = _in_turn([each for each in ordered if each.failed])
    fine = [each for each in ordered if not each.failed]
    places = max(most - len(fine), most // 2)
    return failed[:places] + fine[: most - len(failed[:places])]


def address(jaeger: str, trace_id: str) -> str:
    """Where Jaeger shows a trace; empty where nobody said where Jaeger is, or either is none."""
    if not (_ADDRESS.fullmatch(jaeger) and _TRACE_ID.fullmatch(trace_id)):
        return ""
    return f"{jaeger.rstrip('/')}/trace/{trace_id}"


def _in_turn(failed: Sequence[Exchange]) -> list[Exchange]:
    """Failures so that each kind comes once before any comes twice."""
    kinds: dict[str, list[Exchange]] = {}
    for each in failed:
        kinds.setdefault(each.outcome, []).append(each)
    return [each for turn in zip_longest(*kinds.values()) for each in turn if each is not None]
