"""The figures of the last seconds, from events with times that are given."""

from __future__ import annotations

import math

from ailoop_otel.measure.load.live import LiveFigures
from ailoop_otel.measure.load.progress import Progress, live_text
from ailoop_otel.measure.load.scenario import AbortCriteria


def test_only_the_last_seconds_count() -> None:
    """What is older than the window is forgotten; each message has one first chunk, told before its end or with it."""
    live = LiveFigures(10.0)
    live.clear(0.0)
    live.take([["planned", 0, [1, 0.0]], ["first", 0, 9.0], ["ended", 0, ["ok", 9.0, 9.0]]], 1.0)
    assert live.first_chunk(50) == 9.0
    live.take([["planned", 1, [1, 11.0]], ["first", 1, 0.2]], 12.0)
    live.take([["planned", 2, [1, 11.0]], ["sent", 2, 0.1], ["ended", 2, ["ok", 0.4, 0.5]]], 12.0)
    live.take([["ended", 1, ["ok", 0.2, 0.3]]], 12.5)
    assert (live.first_chunk(50), live.first_chunk(95)) == (0.2, 0.4)
    assert live.rate(12.5) == 0.2
    assert live.errors() == 0


def test_no_limit_is_missed_before_its_time() -> None:
    """The measurement has to last as long as the limit says, and what came before it does not count."""
    live, criteria = LiveFigures(10.0), AbortCriteria(errors=5.0, first_chunk_p95=1.0)
    live.take([["planned", 0, [1, 4.0]], ["ended", 0, ["ai_error", None, 1.0]]], 5.0)
    live.clear(6.0)
    live.take([["planned", 1, [1, 7.0]]], 7.0)
    assert live.beyond(criteria, 15.9) == ""
    assert "more than one message in twenty did not come in 1 s" in live.beyond(criteria, 16.0)
    live.take([["ended", 1, ["ai_error", None, 9.0]]], 16.0)
    assert "1e+03 errors" in live.beyond(criteria, 16.1)
    assert live.beyond(AbortCriteria(), 16.1) == ""


def test_slash_commands_dilute_no_share_of_errors() -> None:
    """As in the report: those that did well are no denominator, those that failed are errors; all are answered."""
    live = LiveFigures(10.0)
    live.clear(0.0)
    for number, (outcome, first) in enumerate([("ok", None)] * 8 + [("ai_error", None), ("ok", 0.2)]):
        live.take([["planned", number, [1, 1.0]], ["ended", number, [outcome, first, 0.3]]], 2.0)
    assert live.errors() == 500
    assert live.rate(10.0) == 1.0


def test_the_terminal_shows_counts_and_then_figures() -> None:
    """Without a first chunk there are counts alone; a p95 that failures reach is no number."""
    assert live_text(Progress(3, 0, 0, 2)) == "3 sessions, 0 messages, 0 failed"
    shown = live_text(Progress(3, 40, 4, 2, 9.81, 0.2, math.inf))
    assert shown.endswith("40 messages, 4 failed; now 9.81/s, 2 in flight, first chunk p50 0.2 s, p95 failed")
