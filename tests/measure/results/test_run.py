"""Several runs as one."""

from __future__ import annotations

import dataclasses

import pytest

from ailoop_otel.measure.report.contents import build_report
from ailoop_otel.measure.results import definitions
from ailoop_otel.measure.results.histograms import histogram, record
from ailoop_otel.measure.results.run import Run, pooled
from tests.measure.latencies import run


def counted(number: int, **context: object) -> Run:
    """A run with a histogram of one value."""
    kept, made = histogram(), run(number, n=30 + number)
    record(kept, 0.01)
    return Run(dataclasses.replace(made.context, **context), made.observations, {"chunk_gap": kept})  # type: ignore[arg-type]


def test_several_runs_follow_each_other() -> None:
    """No exchange is taken for another one, notes are told once, and the runs stay as they were."""
    runs = [counted(1, notes=("a",), started_at="1"), counted(2, notes=("a", "b"), started_at="2")]
    whole = pooled(runs)
    assert len(build_report(whole).exchanges) == 31 + 32
    assert (whole.context.notes, whole.context.started_at) == (("a", "b"), "1")
    assert whole.context.duration == sum(each.context.duration for each in runs)
    assert whole.histograms["chunk_gap"].get_total_count() == 2
    assert [each.histograms["chunk_gap"].get_total_count() for each in runs] == [1, 1]
    at = [row.at for row in whole.observations if row.metric == "first_chunk"]
    assert at == sorted(at)
    assert len(set(at)) == len(at)
    assert pooled(runs[:1]) is runs[0]


def test_a_value_of_each_run_is_their_mean() -> None:
    """A rate of one and a rate of another have no distribution."""
    runs = [counted(1), counted(2)]
    (rate,) = pooled(runs).of(definitions.RATE)
    assert rate.value == pytest.approx(sum(next(each.of(definitions.RATE)).value for each in runs) / 2)
