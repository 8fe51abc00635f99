"""Everything that a report shows, worked out once: each format only writes it down."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from hdrh.histogram import HdrHistogram

from ailoop_otel.measure import Refusal
from ailoop_otel.measure.report import units
from ailoop_otel.measure.report.exchanges import Exchange, Kind, errors, exchanges, steady
from ailoop_otel.measure.report.outside import plain
from ailoop_otel.measure.report.units import Scale
from ailoop_otel.measure.report.worst import worst
from ailoop_otel.measure.results.definitions import Definition
from ailoop_otel.measure.results.observations import Observation
from ailoop_otel.measure.results.run import Context, Run
from ailoop_otel.measure.statistics.percentiles import Summary, summarise
from ailoop_otel.measure.verdict.verdict import Judged, Judgement

FIGURES: Final = ("mean", "p50", "p90", "p95", "p99", "max")
SOURCES: Final = {
    "client": "measured by load, as its clients saw it",
    "telemetry": "read from the server's own telemetry",
    "tests": "timed by tests",
    "legacy": "imported from files of the earlier generation's tests",
}
# Of a metric with more labels than this, only the most frequent have a row each.
MOST_LABELS: Final = 30


@dataclass(frozen=True, slots=True)
class Row:
    """The figures of one metric, or of what one of its labels tells apart, and the scale that all are shown in."""

    definition: Definition
    summary: Summary
    scale: Scale
    label: str = ""

    @property
    def title(self) -> str:
        """The metric's title, with the label that tells this row from the others of its metric."""
        return f"{self.definition.title}: {plain(self.label, 80)}" if self.label else self.definition.title

    @property
    def single(self) -> bool:
        """Whether this is one figure of the whole run, which has no percentiles."""
        return self.definition.each == "run" and self.summary.n <= 1

    @property
    def inside(self) -> bool:
        """Whether to show the figures with failures as infinitely slow: there are some, and less is better."""
        return bool(self.summary.failures) and self.definition.better == "lower"

    def numbers(self) -> list[str]:
        """The figures with failures left out, in the order of `FIGURES`, in the row's scale."""
        return [self.scale.number(getattr(self.summary, name)) for name in FIGURES]

    def numbers_with_failures(self) -> list[str]:
        """The same with each failure as infinitely slow; the mean has no such meaning and is empty."""
        inside = self.summary.with_failures
        return [self.scale.number(inside[name]) if name in inside else "" for name in FIGURES]


@dataclass(frozen=True, slots=True)
class Digest:
    """What a report shows of one run; `warmup` is how many observations of the warm-up were left out.

    Figures, errors and the worst are made of `exchanges`, without those of a search for a limit unless there is nothing
    else, as verdicts are; `seen` holds all that are outside the warm-up, for what shows the course of a run.
    """

    run: Run
    rows: tuple[Row, ...]
    exchanges: tuple[Exchange, ...]
    seen: tuple[Exchange, ...]
    errors: tuple[Kind, ...]
    worst: tuple[Exchange, ...]
    notes: tuple[str, ...]
    judgement: Judgement | None
    warmup: int

    @property
    def context(self) -> Context:
        """Where the run comes from."""
        return self.run.context

    @property
    def table(self) -> list[Row]:
        """The rows that have percentiles."""
        return [row for row in self.rows if not row.single]

    @property
    def singles(self) -> list[Row]:
        """The figures of the whole run."""
        return [row for row in self.rows if row.single]

    @property
    def failed(self) -> int:
        """How many exchanges failed."""
        return sum(each.failed for each in self.exchanges)

    def row(self, definition: Definition) -> Row | None:
        """The row of all of a metric, None where it was not seen."""
        return next((row for row in self.rows if row.definition is definition and not row.label), None)

    def scale(self, judged: Judged) -> Scale:
        """The scale of a judged figure: that of its metric's row, so that one figure is printed in one way."""
        known = (row.scale for row in self.rows if row.definition.name == judged.metric and not row.label)
        return next(known, None) or units.scale(judged.unit, judged.value)


@dataclass(slots=True)
class _Part:
    """One metric's observations by label, without the warm-up and a search for a limit; and its histogram."""

    histogram: HdrHistogram | None
    rows: dict[str, list[Observation]] = field(default_factory=dict)

    def labels(self) -> list[str]:
        """The labels of a metric that has any, those seen most often first."""
        found = sorted(self.rows, key=lambda label: (-len(self.rows[label]), label))
        return [] if found == [""] else found


def digest(run: Run, judgement: Judgement | None = None) -> Digest:
    """Work out what a report of a run shows; Refusal for a metric that has no definition, or another unit there."""
    seen, parts = exchanges(run), _parted(run)
    counted = steady(seen)
    return Digest(
        run=run,
        rows=tuple(row for definition in run.metrics() for row in _rows(run, definition, parts[definition.name])),
        exchanges=tuple(counted),
        seen=tuple(seen),
        errors=tuple(errors(run, counted)),
        worst=tuple(worst(counted)),
        notes=(*run.context.notes, *_notes(run, parts)),
        judgement=judgement,
        warmup=sum(each.phase == "warmup" for each in run.observations),
    )


def _parted(run: Run) -> dict[str, _Part]:
    definitions = {definition.name: definition for definition in run.metrics()}
    parts = {name: _Part(run.histograms.get(name)) for name in definitions}
    for name in run.histograms:
        if name not in definitions:
            raise Refusal(f"there is no metric {name!r}: use the version of ailoop-otel that measured it")
    held = {each.metric for each in run.observations if each.phase not in ("warmup", "ramp")}
    for each in run.observations:
        if each.metric not in definitions:
            raise Refusal(f"there is no metric {each.metric!r}: use the version of ailoop-otel that measured it")
        if each.unit != definitions[each.metric].unit:
            raise Refusal(
                f"{each.metric} is defined in {definitions[each.metric].unit!r}, and one of its observations is in "
                f"{each.unit!r}: measure again, or correct the unit"
            )
        if each.phase != "warmup" and (each.phase != "ramp" or each.metric not in held):
            parts[each.metric].rows.setdefault(each.label, []).append(each)
    return parts


def _rows(run: Run, definition: Definition, part: _Part) -> Iterator[Row]:
    labels = part.labels()
    # Steps of a test have nothing in common: figures of all of them together would describe none.
    if definition.each != "call" or not labels:
        whole = [each for rows in part.rows.values() for each in rows]
        histograms = {definition.name: part.histogram} if part.histogram else {}
        yield _row(Run(run.context, whole, histograms), definition)
    if definition.each == "call" or len(labels) > 1:
        for label in labels[:MOST_LABELS]:
            yield _row(Run(run.context, part.rows[label]), definition, label or "(no label)")


def _row(run: Run, definition: Definition, label: str = "") -> Row:
    summary = summarise(run, definition)
    candidates = (summary.p50, summary.mean, summary.max)
    typical = next((value for value in candidates if value and math.isfinite(value)), math.nan)
    return Row(definition, summary, units.scale(definition.unit, typical), label)


def _notes(run: Run, parts: dict[str, _Part]) -> Iterator[str]:
    for definition in run.metrics():
        labels = len(parts[definition.name].labels())
        if labels > MOST_LABELS:
            yield (
                f"{definition.title} has {labels:,} labels, and the {MOST_LABELS} most frequent have figures here: "
                "the others are in the raw data."
            )
