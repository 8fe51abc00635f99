"""The contents of a report, computed once from a run: every format renders the same `Report`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from ailoop_otel.measure import Refusal
from ailoop_otel.measure.report.exchanges import (
    Exchange,
    FailureKind,
    exchanges_of,
    failure_kinds,
    worst_exchanges,
)
from ailoop_otel.measure.report.text import plain
from ailoop_otel.measure.results.definitions import DEFINITIONS, Definition
from ailoop_otel.measure.results.quantities import Scale, scale
from ailoop_otel.measure.results.run import Context, Run
from ailoop_otel.measure.statistics.percentiles import Summary, summarise
from ailoop_otel.measure.verdict.verdict import Judgement

# If a metric has more labels than this, only the most frequent ones get a row.
MOST_LABELS: Final = 30


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table of figures: a metric, or the part of it with one label."""

    definition: Definition
    summary: Summary
    label: str = ""

    @property
    def scale(self) -> Scale:
        """The scale of its figures."""
        return scale(self.definition)

    @property
    def title(self) -> str:
        """The metric's title, followed by the label if the row has one."""
        return f"{self.definition.title}: {plain(self.label, 80)}" if self.label else self.definition.title

    @property
    def single(self) -> bool:
        """Whether this is one value of the whole run, which has no percentiles."""
        return self.definition.each == "run" and self.summary.n <= 1

    @property
    def counts_failures(self) -> bool:
        """Whether a second line shows each failure as infinitely slow: if there are failures and less is better."""
        return bool(self.summary.failures) and self.definition.better == "lower"


@dataclass(frozen=True, slots=True)
class Report:
    """What a report shows of one run.

    `exchanges` are those that figures, failures and worst exchanges are computed from: without the search for a limit
    (the ramp), unless the run has nothing else. Verdicts select in the same way. `exchanges_with_ramp` are all
    exchanges after the warm-up, for plots over time. `warmup` is the number of observations of the warm-up.
    """

    run: Run
    rows: tuple[Row, ...]
    exchanges: tuple[Exchange, ...]
    exchanges_with_ramp: tuple[Exchange, ...]
    failures: tuple[FailureKind, ...]
    worst: tuple[Exchange, ...]
    notes: tuple[str, ...]
    judgement: Judgement | None
    warmup: int

    @property
    def context(self) -> Context:
        """The run's scenario, machine, versions, settings and server."""
        return self.run.context

    @property
    def failed(self) -> int:
        """The number of failed exchanges."""
        return sum(each.failed for each in self.exchanges)

    def row(self, definition: Definition) -> Row | None:
        """The row of a whole metric, None if the metric was not observed."""
        return next((row for row in self.rows if row.definition is definition and not row.label), None)


def build_report(run: Run, judgement: Judgement | None = None) -> Report:
    """Compute the contents of a run's report.

    Raises Refusal for a metric that has no definition, or an observation in another unit than the definition's.
    """
    _check(run)
    with_ramp = exchanges_of(run)
    counted = [each for each in with_ramp if not each.in_ramp] or with_ramp
    return Report(
        run=run,
        rows=tuple(row for definition in run.metrics() for row in _rows(run, definition)),
        exchanges=tuple(counted),
        exchanges_with_ramp=tuple(with_ramp),
        failures=tuple(failure_kinds(run, counted)),
        worst=tuple(worst_exchanges(counted)),
        notes=(*run.context.notes, *_notes(run)),
        judgement=judgement,
        warmup=sum(each.phase == "warmup" for each in run.observations),
    )


def _check(run: Run) -> None:
    for metric in (*run.histograms, *{each.metric for each in run.observations}):
        if metric not in DEFINITIONS:
            raise Refusal(f"there is no metric {metric!r}: use the version of ailoop-otel that measured it")
    for each in run.observations:
        if each.unit != (unit := DEFINITIONS[each.metric].unit):
            raise Refusal(
                f"{each.metric} is defined in {unit!r}, and one of its observations is in {each.unit!r}: measure "
                "again, or correct the unit"
            )


def _labels(run: Run, definition: Definition) -> list[str]:
    """The labels of a metric, most frequent first; empty for a metric without labels."""
    counts = Counter(each.label for each in run.steady(definition))
    return sorted(counts, key=lambda label: (-counts[label], label)) if any(counts) else []


def _rows(run: Run, definition: Definition) -> Iterator[Row]:
    labels, steady = _labels(run, definition), run.steady(definition)
    # The steps of a test measure different things: figures over all of them together would mean nothing.
    if definition.each != "call" or not labels:
        yield Row(definition, summarise(run, definition))
    if definition.each == "call" or len(labels) > 1:
        for label in labels[:MOST_LABELS]:
            part = [each for each in steady if each.label == label]
            yield Row(definition, summarise(replace(run, observations=part), definition), label or "(no label)")


def _notes(run: Run) -> Iterator[str]:
    for definition in run.metrics():
        labels = len(_labels(run, definition))
        if labels > MOST_LABELS:
            yield (
                f"{definition.title} has {labels:,} labels, and the {MOST_LABELS} most frequent have figures here: "
                "the others are in the raw data."
            )
