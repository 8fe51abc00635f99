"""The contents of a report."""

from __future__ import annotations

import pytest

from ailoop_otel.measure import Refusal
from ailoop_otel.measure.report import wording
from ailoop_otel.measure.report.contents import MOST_LABELS, build_report
from ailoop_otel.measure.results import definitions
from ailoop_otel.measure.results.observations import Observation, observed
from ailoop_otel.measure.results.run import Context, Run
from tests.measure.report import sample


def test_rows_stand_in_the_order_of_the_table_of_metrics() -> None:
    """The table is in order of importance."""
    names = [row.definition.name for row in build_report(sample.mixed(60)).rows if not row.label]
    assert names == [name for name in definitions.DEFINITIONS if name in names]
    assert names[:2] == ["first_chunk", "completion"]


def test_steps_of_a_test_are_never_averaged_together() -> None:
    """Each step has its own row and scale; there is no row of all steps."""
    rows = build_report(sample.steps()).rows
    assert sorted((row.label, row.scale.name, row.summary.n) for row in rows) == [
        ("first answer", "ms", 40), ("log in", "ms", 40), ("long answer", "ms", 40),
    ]  # fmt: skip


def test_labels_of_other_metrics_stand_below_the_whole() -> None:
    """The phases of AI timeouts have the same definition, so the whole metric has a row too."""
    rows = [observed(definitions.TIMEOUT_DETECTED, 10.0 + number, float(number), label=label)
            for number, label in enumerate(("first_chunk", "stall", "stall"))]  # fmt: skip
    found = build_report(Run(Context("timeouts"), rows)).rows
    assert [(row.label, row.summary.n) for row in found] == [("", 3), ("stall", 2), ("first_chunk", 1)]


def test_a_thousand_labels_do_not_make_a_thousand_rows() -> None:
    """Only the most frequent get a row, and a note counts the others."""
    rows = [observed(definitions.STEP, 1.0, 0.0, label=f"step {number}") for number in range(1000)]
    rows += [observed(definitions.STEP, 1.0, 0.0, label="often")] * 2
    found = build_report(Run(Context("tests"), rows))
    assert len(found.rows) == MOST_LABELS
    assert found.rows[0].label == "often"
    assert "1,001 labels" in found.notes[0]


def test_figures_are_of_the_hold() -> None:
    """The search for a limit before it, which overloads the server on purpose, is in none of them."""
    place = {"exchange": 1, "at": 1.0}
    rows = [observed(definitions.FIRST_CHUNK, 9.0, phase="ramp", **place),
            observed(definitions.FIRST_CHUNK, 0.5, phase="hold", exchange=2, at=2.0)]  # fmt: skip
    found = build_report(Run(Context("ramp"), rows))
    assert (found.rows[0].summary.n, found.rows[0].summary.max) == (1, 0.5)
    assert (len(found.exchanges), len(found.exchanges_with_ramp)) == (1, 2)
    assert "search for a limit, 1 exchange" in wording.figures_caption(found)


def test_an_observation_in_another_unit_is_refused() -> None:
    """A damaged or forged file cannot make seconds of bytes."""
    row = Observation("first_chunk", 32455837.0, "By", 0.0)
    with pytest.raises(Refusal, match=r"first_chunk is defined in 's'.*'By'"):
        build_report(Run(Context("mistaken"), [row]))


def test_a_metric_without_a_definition_is_refused() -> None:
    """Its figures would mean nothing."""
    with pytest.raises(Refusal, match="there is no metric 'vibes'"):
        build_report(Run(Context("newer"), [Observation("vibes", 1.0, "s", 0.0)]))


def test_failures_as_infinitely_slow_are_shown_where_less_is_better() -> None:
    """A session duration gets no such line: a session that failed was not infinitely long."""
    rows = {row.definition.name: row for row in build_report(sample.mixed(400, failing=0.2)).rows}
    assert rows["first_chunk"].counts_failures
    assert rows["session_duration"].summary.failures
    assert not rows["session_duration"].counts_failures


def test_the_warm_up_is_counted_and_in_no_figure() -> None:
    """The caption counts its observations."""
    found = build_report(sample.mixed(60))
    assert found.warmup == 12
    assert "12 observations of the warm-up" in wording.figures_caption(found)
