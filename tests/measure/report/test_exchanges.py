"""Exchanges, assembled from observations."""

from __future__ import annotations

import math
from typing import Any

import pytest

from ailoop_otel.measure.report import tables
from ailoop_otel.measure.report.contents import build_report
from ailoop_otel.measure.report.exchanges import (
    Exchange,
    exchanges_of,
    failure_kinds,
    trace_link,
    worst_exchanges,
)
from ailoop_otel.measure.results import definitions
from ailoop_otel.measure.results.observations import Observation, observed
from ailoop_otel.measure.results.run import Context, Run
from tests.measure.report import sample


def run(*rows: Observation) -> Run:
    return Run(Context("made up"), rows)


def exchange(number: int, seconds: float, outcome: str = "ok", **more: Any) -> Exchange:
    return Exchange(number, 0, float(number), outcome, completion=seconds, **more)


def test_the_rows_of_an_exchange_are_one() -> None:
    """They give it its times, trace and outcome; one failed observation makes it a failure."""
    place = {"exchange": 4, "session": 2, "trace_id": "ab" * 16}
    (found,) = exchanges_of(
        run(
            observed(definitions.SEND_DELAY, 0.001, 1.5, **place),
            observed(definitions.FIRST_CHUNK, 0.2, 1.5, outcome="cut", **place),
            observed(definitions.COMPLETION, 0.9, 1.5, outcome="cut", **place),
            observed(definitions.LONGEST_GAP, 0.1, 1.5, outcome="cut", **place),
        )
    )
    assert found == Exchange(4, 2, 1.5, "cut", "ab" * 16, 0.2, 0.9, 0.1)


def test_the_clients_time_is_preferred_to_the_servers() -> None:
    """In whichever order the observations come."""
    rows = [observed(definitions.SERVER_COMPLETION, 1.0, 0.0, exchange=1),
            observed(definitions.COMPLETION, 1.5, 0.0, exchange=1)]  # fmt: skip
    assert [exchanges_of(run(*order))[0].completion for order in (rows, rows[::-1])] == [1.5, 1.5]


def test_one_column_holds_one_definition() -> None:
    """If a run has the client's times, neither the server's nor those of another event fill the gaps."""
    rows = [
        observed(definitions.COMPLETION, 1.0, 0.0, exchange=0),
        observed(definitions.COMPLETION, math.nan, 0.0, exchange=1, outcome="disconnected"),
        observed(definitions.SERVER_COMPLETION, 2.0, 0.0, exchange=1, outcome="disconnected"),
        observed(definitions.TIMEOUT_TOLD, 10.0, 0.0, exchange=1, outcome="disconnected"),
    ]
    assert [each.completion for each in exchanges_of(run(*rows))] == pytest.approx([1.0, math.nan], nan_ok=True)
    for seen, head in ((rows, "Complete"), (rows[2:3], "Complete, server")):
        assert head in [column.head for column in tables.worst(build_report(run(*seen))).columns]
    assert exchanges_of(run(rows[2]))[0].completion == 2.0


def test_a_reply_of_the_old_tests_is_no_answer() -> None:
    """It has its own metric and is not the completion of an exchange."""
    assert exchanges_of(run(observed(definitions.LEGACY_REPLY, 0.0006, 0.0))) == []


def test_rows_without_a_number_are_exchanges_of_their_own() -> None:
    """If they are completion times; an observation of another metric is no exchange."""
    rows = [
        observed(definitions.COMPLETION, 0.1, 0.0),
        observed(definitions.COMPLETION, 0.2, 1.0),
        observed(definitions.SEND_DELAY, 0.2, 1.0),
        observed(definitions.MEMORY, 3e7, 1.0),
    ]
    assert [each.completion for each in exchanges_of(run(*rows))] == [0.1, 0.2]


def test_the_warm_up_is_left_out_and_so_is_a_search_that_was_followed_by_a_hold() -> None:
    """Figures are computed from the hold, or from the search in a run without a hold."""

    def row(number: int, phase: Any) -> Observation:
        return observed(definitions.COMPLETION, 1.0, 0.0, exchange=number, phase=phase)

    rows = row(0, "warmup"), row(1, "ramp"), row(2, "hold")
    for seen, shown, counted in ((rows, [1, 2], [2]), (rows[:2], [1], [1])):
        report = build_report(run(*seen))
        assert [each.number for each in report.exchanges_with_ramp] == shown
        assert [each.number for each in report.exchanges] == counted


def test_errors_are_counted_by_kind_and_per_thousand() -> None:
    """Most frequent first; exchanges and sessions apart."""
    made = sample.few(*[1.0] * 95), sample.few(*[1.0] * 4, outcome="ai_error"), sample.few(1.0, outcome="cut")
    rows = [
        row._replace(exchange=100 * part + row.exchange) for part, each in enumerate(made) for row in each.observations
    ]
    rows += [observed(definitions.SESSION_START, 0.1, 0.0, session=number, outcome="refused" if number else "ok")
             for number in range(2)]  # fmt: skip
    found = failure_kinds(run(*rows), exchanges_of(run(*rows)))
    assert [(kind.what, kind.outcome, kind.count, kind.total, kind.per_thousand) for kind in found] == [
        ("exchanges", "ai_error", 4, 100, 40.0), ("exchanges", "cut", 1, 100, 10.0),
        ("sessions", "refused", 1, 2, 500.0),
    ]  # fmt: skip


def test_a_session_that_failed_twice_is_one_failure() -> None:
    """Its start and its duration are two observations of the same session."""
    rows = [observed(metric, 1.0, 0.0, session=3, outcome="disconnected")
            for metric in (definitions.SESSION_START, definitions.SESSION_DURATION)]  # fmt: skip
    assert [(kind.count, kind.total) for kind in failure_kinds(run(*rows), [])] == [(1, 1)]


def test_the_worst_are_failures_of_every_kind_and_the_slowest() -> None:
    """Failures take half of the places, each kind in turn and the longest first."""
    seen = [exchange(number, float(number)) for number in range(20)]
    seen += [exchange(100 + number, number, "ai_timeout") for number in range(20)]
    seen += [exchange(200, 0.5, "cut")]
    assert [each.number for each in worst_exchanges(seen)] == [119, 200, 118, 117, 116, 19, 18, 17, 16, 15]


def test_there_are_ten_of_the_worst_whatever_they_are() -> None:
    """Failures alone, successes alone, fewer than ten, none."""
    failed = [exchange(number, 1.0, "cut") for number in range(30)]
    fine = [exchange(number, 1.0) for number in range(30)]
    counts = [len(worst_exchanges(seen)) for seen in (failed, fine, failed[:7] + fine[:1], failed[:1] + fine, [])]
    assert counts == [10, 10, 8, 10, 0]


def test_an_exchange_that_nothing_is_known_of_is_the_fastest() -> None:
    """It does not displace one that is known to be slow."""
    assert [each.number for each in worst_exchanges([exchange(1, math.nan), exchange(2, 0.1)], most=1)] == [2]


def test_a_trace_is_linked_only_if_address_and_id_are_valid() -> None:
    """Neither an untrusted address nor an untrusted id can make another link."""
    trace = "0af7651916cd43dd8448eb211c80319c"
    assert trace_link("http://127.0.0.1:16686/", trace) == f"http://127.0.0.1:16686/trace/{trace}"
    for jaeger in ("", "javascript:alert(1)//", 'http://x/" onclick="y', "http://x y", "http://x/)[a](b"):
        assert trace_link(jaeger, trace) == ""
    for other in ("", "../../api", '"><script>', trace.upper() + "!"):
        assert trace_link("http://127.0.0.1:16686", other) == ""
