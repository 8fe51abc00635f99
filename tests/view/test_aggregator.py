"""Spans become exchanges, sessions, timeouts and calls, in whatever order they come."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from ailoop_otel import names
from ailoop_otel.recorded.files import ReadCounts, find, read
from ailoop_otel.recorded.records import LogEvent, Span
from ailoop_otel.view import aggregator as module
from ailoop_otel.view.aggregator import Aggregator
from ailoop_otel.view.exchanges import Entry, Exchange, Session, Timeout
from ailoop_otel.view.options import Filters
from tests.view.sample import BEGIN, Sample


def _spans(directory: Path) -> list[Span]:
    return [span for batch in read(find(directory), ReadCounts()) for span in batch.spans]


def _aggregated(spans: list[Span], **filters: object) -> Aggregator:
    aggregator = Aggregator(dataclasses.replace(Filters(), **filters))
    for span in spans:
        aggregator.add(span)
    return aggregator


def test_an_exchange_is_its_root(sample: Sample) -> None:
    """Outcome, error, first chunk, chunks and the longest gap come from the root and the stream below it."""
    sample.exchange("s-1", 5, 2.0, "ai_error", error_type="500", first_chunk=0.25, chunks=7, max_gap=0.5)
    (exchange,) = _aggregated(_spans(sample.directory)).exchanges()
    assert (exchange.outcome, exchange.error_type, exchange.failed, exchange.seconds) == ("ai_error", "500", True, 2)
    assert (exchange.first_chunk, exchange.chunks, exchange.max_gap) == (0.25, 7, 0.5)


def test_children_may_come_after_their_root(sample: Sample) -> None:
    """Another order in the file gives the same exchange."""
    sample.exchange("s-1", 5, 2.0, inside=True)
    spans = _spans(sample.directory)
    backwards = _aggregated(spans[::-1])
    assert backwards.exchanges() == _aggregated(spans).exchanges()
    assert backwards.open() == []


def test_an_exchange_whose_root_has_not_come_is_open(sample: Sample) -> None:
    """Its timeout is known at once, and it counts as failed as long as it hangs."""
    sample.exchange("s-1", 5, 31, timeout="first_chunk", first_chunk=None, finished=False)
    aggregator = _aggregated(_spans(sample.directory))
    (exchange,), (late,) = aggregator.exchanges(), aggregator.timeouts()[0]
    assert (exchange.outcome, exchange.failed, exchange.session_id) == ("open", True, "s-1")
    assert late.exchange is exchange
    assert (late.phase, late.deadline, late.delay, late.waiting_for) == ("first_chunk", 30, 0.0021, "model")
    assert late.ending == "open"


def test_deeper_spans_alone_are_one_open_exchange(sample: Sample) -> None:
    """Spans of an agent below a root that has not come are one exchange, not one each."""
    sample.exchange("s-1", 5, 20, first_chunk=None, finished=False, inside=True)
    (exchange,) = _aggregated(_spans(sample.directory)).exchanges()
    assert (exchange.open, exchange.failed, exchange.span_id) == (True, False, "")


def test_somebody_elses_spans_are_no_open_exchange(sample: Sample) -> None:
    """Only what this package made is looked at."""
    sample.exchange("s-1", 5, 20, first_chunk=None, finished=False, inside=True)
    foreign = [dataclasses.replace(span, scope="somebody.else") for span in _spans(sample.directory)]
    assert _aggregated(foreign).exchanges() == []


@pytest.mark.parametrize(("recovered", "ending"), [(True, "recovered"), (False, "ok")])
def test_a_timeout_learns_what_became_of_it(sample: Sample, recovered: bool, ending: str) -> None:
    """When the root comes, its timeouts know the end."""
    sample.exchange("s-1", 5, 33, timeout="first_chunk", first_chunk=31, recovered=recovered)
    (late,), total = _aggregated(_spans(sample.directory)).timeouts()
    assert (late.ending, total) == (ending, 1)


def test_several_exchanges_of_a_clients_trace_keep_their_own(sample: Sample) -> None:
    """Where the client's trace is trusted, one trace holds many exchanges."""
    sample.exchange("s-1", 5, 2.0, chunks=1)
    sample.exchange("s-1", 9, 2.0, chunks=2, timeout="stall")
    one_trace = [dataclasses.replace(span, trace_id="ab" * 16) for span in _spans(sample.directory)]
    first, second = _aggregated(one_trace).exchanges()
    assert (first.chunks, first.timeouts, second.chunks, second.timeouts) == (1, 0, 2, 1)


def test_the_same_export_twice_counts_once(sample: Sample) -> None:
    """Replayed files change no exchange and no session."""
    start = sample.session("s-1", 0)
    sample.exchange("s-1", 1, 1, session=start)
    sample.session_end(start, "s-1", 0, 9, "stopped", 1, 0)
    spans = _spans(sample.directory)
    aggregator = _aggregated(spans + spans)
    assert (aggregator.matching(), len(aggregator.sessions()), aggregator.totals.sessions_ended) == (1, 1, 1)
    assert aggregator.totals.outcomes == {"ok": 1}


def test_an_open_session_counts_its_exchanges(sample: Sample) -> None:
    """Until the session's own span with the totals is read."""
    start = sample.session("s-1", 0)
    sample.exchange("s-1", 1, 1, session=start)
    sample.exchange("s-1", 3, 1, "cut", session=start)
    (session,) = _aggregated(_spans(sample.directory)).sessions()
    assert (session.turns, session.errors, session.ended, session.seconds) == (2, 1, 0, 4)
    sample.session_end(start, "s-1", 0, 9, "disconnected", 5, 4)
    (session,) = _aggregated(_spans(sample.directory)).sessions()
    assert (session.turns, session.errors, session.end_reason, session.seconds) == (5, 4, "disconnected", 9)


def test_a_resumed_session_is_a_row_of_its_own(sample: Sample) -> None:
    """With the exchanges that link to it, though the id is the same."""
    first = sample.session("s-1", 0)
    sample.exchange("s-1", 1, 1, session=first)
    sample.session_end(first, "s-1", 0, 5, "disconnected", 1, 0)
    second = sample.session("s-1", 8, resumed=first)
    sample.exchange("s-1", 9, 1, session=second)
    old, new = _aggregated(_spans(sample.directory)).sessions()
    assert (old.resumed, old.turns, new.resumed, new.turns, new.ended) == (False, 1, True, 1, 0)


def test_a_session_whose_start_is_gone_is_shown(sample: Sample) -> None:
    """Rotation took the file of its start: its turns and its end still count."""
    start = sample.session("s-1", 0)
    sample.exchange("s-1", 1, 1, session=start)
    spans = [span for span in _spans(sample.directory) if span.name != names.SPAN_SESSION_START]
    (session,) = _aggregated(spans).sessions()
    assert (session.started, session.turns, session.seconds) == (0, 1, 0)
    sample.session_end(start, "s-1", 0, 9, "stopped", 1, 0)
    spans = [span for span in _spans(sample.directory) if span.name != names.SPAN_SESSION_START]
    (session,) = _aggregated(spans).sessions()
    assert (session.started, session.end_reason, session.seconds) == (BEGIN * 10**9, "stopped", 9)


def test_a_session_of_which_only_the_end_is_left_is_shown(sample: Sample) -> None:
    """The session's own span holds everything that is shown."""
    start = sample.session("s-1", 0)
    sample.session_end(start, "s-1", 0, 9, "evicted", 2, 1)
    (session,) = _aggregated(_spans(sample.directory)[1:]).sessions()
    assert (session.turns, session.errors, session.end_reason, session.seconds) == (2, 1, "evicted", 9)


def test_other_calls_are_counted_by_method(sample: Sample) -> None:
    """With their errors; a span of plain HTTP counts by its name."""
    sample.call("echo", 0, 0.002)
    sample.call("echo", 1, 0.004, error=True)
    spans = _spans(sample.directory)
    plain = dataclasses.replace(spans[0], name="GET /health", attributes={}, span_id="ee")
    calls = _aggregated([*spans, plain]).calls
    assert {name: (call.durations.count, call.errors) for name, call in calls.items()} == {
        "echo": (2, 1),
        "GET /health": (1, 0),
    }
    assert calls["echo"].durations.largest == 0.004


def test_methods_are_bounded(sample: Sample, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names beyond the bound are counted together."""
    monkeypatch.setattr(module, "_MOST_METHODS", 2)
    for method in ("a", "b", "c", "d"):
        sample.call(method, 0, 0.001)
    calls = _aggregated(_spans(sample.directory)).calls
    assert {name: call.durations.count for name, call in calls.items()} == {"a": 1, "b": 1, names.OTHER: 2}


def test_what_is_remembered_is_bounded(sample: Sample, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest stay; the totals count all."""
    monkeypatch.setattr(module, "REMEMBERED", 3)
    for number in range(9):
        start = sample.session(f"s-{number}", number)
        sample.exchange(f"s-{number}", number, 31, session=start, timeout="stall", first_chunk=None, finished=False)
        sample.exchange(f"s-{number}", number, 1, session=start)
    aggregator = _aggregated(_spans(sample.directory), limit=2)
    assert [session.session_id for session in aggregator.sessions()] == ["s-7", "s-8"]
    assert [exchange.outcome for exchange in aggregator.exchanges()] == ["ok", "open"]
    assert len(aggregator.open()) <= 3
    assert (len(aggregator.timeouts()[0]), aggregator.timeouts()[1]) == (2, 9)
    assert (aggregator.totals.sessions, aggregator.totals.outcomes["ok"]) == (9, 9)


@pytest.mark.parametrize(
    ("filters", "shown"),
    [
        ({"errors": True}, ["cut", "open"]),
        ({"outcome": "ok"}, ["ok"]),
        ({"outcome": "open"}, ["open"]),
        ({"session": "s-2"}, ["cut"]),
        ({"since": (BEGIN + 5) * 10**9}, ["cut", "open"]),
        ({"limit": 1}, ["open"]),
    ],
)
def test_filters_choose(sample: Sample, filters: dict[str, object], shown: list[str]) -> None:
    """By failure, outcome, session, time and number."""
    sample.exchange("s-1", 1, 1)
    sample.exchange("s-2", 4, 2, "cut")
    sample.exchange("s-1", 8, 31, timeout="stall", first_chunk=None, finished=False)
    aggregator = _aggregated(_spans(sample.directory), **filters)
    assert [exchange.outcome for exchange in aggregator.exchanges()] == shown
    late, total = aggregator.timeouts()
    assert len(late) == total == shown.count("open")


def test_adding_returns_what_happened(day: Path) -> None:
    """Each start, end, exchange and timeout is returned, and nothing else."""
    aggregator = Aggregator(Filters())
    entries: list[Entry] = [entry for span in _spans(day) if (entry := aggregator.add(span)) is not None]
    kinds = {kind: sum(isinstance(one, kind) for one in entries) for kind in (Exchange, Session, Timeout)}
    assert kinds == {Exchange: 12, Session: 4, Timeout: 3}


def test_the_server_itself_is_noted() -> None:
    """Its start and stop count; other events stand in spans too."""
    aggregator = Aggregator(Filters(since=5))
    events = [LogEvent(names.EVENT_SERVER_START, 4), LogEvent(names.EVENT_SERVER_START, 9)]
    events += [LogEvent(names.EVENT_SERVER_STOP, 9), LogEvent(names.EVENT_AI_TIMEOUT, 9)]
    assert [aggregator.add_event(event) for event in events] == [False, True, True, False]
    assert (aggregator.totals.server_starts, aggregator.totals.server_stops) == (1, 1)
