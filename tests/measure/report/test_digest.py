"""What a report shows, worked out once."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from ailoop_otel.measure import Refusal
from ailoop_otel.measure.report import facts
from ailoop_otel.measure.report.digest import MOST_LABELS, digest
from ailoop_otel.measure.results import definitions
from ailoop_otel.measure.results.observations import Observation, observed
from ailoop_otel.measure.results.run import Context, Run
from tests.measure.report import sample


def test_rows_stand_in_the_order_of_the_table_of_metrics() -> None:
    """What a reader wants first comes first."""
    names = [row.definition.name for row in digest(sample.mixed(60)).rows if not row.label]
    assert names == [name for name in definitions.DEFINITIONS if name in names]
    assert names[:2] == ["first_chunk", "completion"]


def test_steps_of_a_test_are_never_averaged_together() -> None:
    """Each has a row of its own, in a scale of its own; there is none of all of them."""
    rows = digest(sample.steps()).rows
    assert sorted((row.label, row.scale.name, row.summary.n) for row in rows) == [
        ("first answer", "ms", 40), ("log in", "ms", 40), ("long answer", "s", 40),
    ]  # fmt: skip


def test_labels_of_other_metrics_stand_below_the_whole() -> None:
    """As the phases of AI timeouts, which have the same definition."""
    rows = [observed(definitions.TIMEOUT_DETECTED, 10.0 + number, float(number), label=label)
            for number, label in enumerate(("first_chunk", "stall", "stall"))]  # fmt: skip
    found = digest(Run(Context("timeouts"), rows)).rows
    assert [(row.label, row.summary.n) for row in found] == [("", 3), ("stall", 2), ("first_chunk", 1)]


def test_a_thousand_labels_do_not_make_a_thousand_rows() -> None:
    """The most frequent are shown, and the report says that there are others."""
    rows = [observed(definitions.STEP, 1.0, 0.0, label=f"step {number}") for number in range(1000)]
    rows += [observed(definitions.STEP, 1.0, 0.0, label="often")] * 2
    found = digest(Run(Context("tests"), rows))
    assert len(found.rows) == MOST_LABELS
    assert found.rows[0].label == "often"
    assert "1,001 labels" in found.notes[0]


def test_figures_are_of_the_hold() -> None:
    """The search for a limit that went before, in which the server was driven too far, is in none of them."""
    place = {"exchange": 1, "at": 1.0}
    rows = [observed(definitions.FIRST_CHUNK, 9.0, phase="ramp", **place),
            observed(definitions.FIRST_CHUNK, 0.5, phase="hold", exchange=2, at=2.0)]  # fmt: skip
    found = digest(Run(Context("ramp"), rows))
    assert (found.rows[0].summary.n, found.rows[0].summary.max) == (1, 0.5)
    assert (len(found.exchanges), len(found.seen)) == (1, 2)
    assert "search for a limit, 1 exchange" in facts.figures_caption(found)


def test_an_observation_in_another_unit_is_refused() -> None:
    """Bytes cannot come in as seconds, however a file was made."""
    row = Observation("first_chunk", 32455837.0, "By", 0.0)
    with pytest.raises(Refusal, match=r"first_chunk is defined in 's'.*'By'"):
        digest(Run(Context("mistaken"), [row]))


def test_a_metric_without_a_definition_is_refused() -> None:
    """Its figures would mean nothing."""
    with pytest.raises(Refusal, match="there is no metric 'vibes'"):
        digest(Run(Context("newer"), [Observation("vibes", 1.0, "s", 0.0)]))


def test_failures_as_infinitely_slow_are_shown_where_less_is_better() -> None:
    """A session that was cut short did not last for ever."""
    rows = {row.definition.name: row for row in digest(sample.mixed(400, failing=0.2)).rows}
    assert rows["first_chunk"].inside
    assert rows["session_duration"].summary.failures
    assert not rows["session_duration"].inside


def test_the_warm_up_is_counted_and_in_no_figure() -> None:
    """Its observations of three seconds would be the slowest."""
    found = digest(sample.mixed(60))
    assert found.warmup == 12
    assert "12 observations of the warm-up" in facts.figures_caption(found)


def test_what_never_came_is_told() -> None:
    """An answer without a chunk that did not fail is in no figure, and the caption says so."""
    found = digest(sample.few(0.5, math.nan, math.nan))
    assert found.rows[0].summary.n == 1
    assert "Message to first AI chunk, 2 times" in facts.figures_caption(found)


def test_a_judged_figure_is_printed_in_its_metrics_scale() -> None:
    """So that the table of figures and the verdict show the same number."""
    found = digest(sample.few(*[0.9] * 10), sample.judgement())
    assert facts.judged(sample.judgement().rows[0], found).limit == "target 2,000 ms"
    alone = digest(sample.few(), sample.judgement())
    assert facts.judged(replace(sample.judgement().rows[0], value=1.5), alone).limit == "target 2 s"


def test_the_headline_leaves_out_what_was_not_measured() -> None:
    """No exchange, no share of failures; nothing at all is said as such."""
    assert facts.headline(digest(Run(Context("empty"), []))) == "Nothing was observed."
    assert facts.headline(digest(sample.few(0.5, 0.5))) == "2 exchanges, 0 % failed; First AI chunk, p95 500 ms."
    assert facts.headline(digest(sample.few(math.nan, outcome="cut"))) == "1 exchange, 100 % failed."


def test_memory_of_the_machine_has_a_unit() -> None:
    """It comes in bytes."""
    groups = dict(facts.environment(sample.CONTEXT))
    assert ("memory", "33.6 GB") in groups["Machine"]
