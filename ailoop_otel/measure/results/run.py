"""One run: what was observed, and everything needed to judge it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from hdrh.histogram import HdrHistogram

from ailoop_otel.measure.results.definitions import DEFINITIONS, Definition
from ailoop_otel.measure.results.observations import Observation


@dataclass(frozen=True, slots=True)
class Context:
    """Where a run comes from, all of it JSON: shown in the report, compared with a baseline's.

    `machine` is `machine.fingerprint()`; `versions` maps programs and packages to versions; `settings` is what the
    scenario was run with; `server` what is known of the server (`url`, `dialect`, `pid`, `started_by_us`,
    `instrumented`); `notes` are sentences that a reader must know, such as that the load generator was the bottleneck.
    """

    scenario: str
    source: str = "client"
    """`client`: measured by load; `telemetry`: read from recorded telemetry; `tests`: a pytest run; `legacy`."""
    started_at: str = ""
    """ISO 8601, UTC."""
    duration: float = 0.0
    """Seconds from the first planned message to the end, the warm-up left out."""
    machine: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    server: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    jaeger: str = ""
    """Where traces are opened, `http://127.0.0.1:16686`; empty when nobody said."""


@dataclass(frozen=True, slots=True)
class Run:
    """Observations in any order, histograms (microseconds) of what is too frequent for a row each, the context."""

    context: Context
    observations: Sequence[Observation]
    histograms: dict[str, HdrHistogram] = field(default_factory=dict)

    def of(self, definition: Definition) -> Iterator[Observation]:
        """All observations of one metric outside the warm-up."""
        return (each for each in self.observations if each.metric == definition.name and each.phase != "warmup")

    def metrics(self) -> list[Definition]:
        """What was observed, in the table's order."""
        seen = {each.metric for each in self.observations} | set(self.histograms)
        return [definition for name, definition in DEFINITIONS.items() if name in seen]


def merged(context: Context, parts: Iterable[Run]) -> Run:
    """Join the runs of several load processes; histograms add up without loss."""
    observations: list[Observation] = []
    histograms: dict[str, HdrHistogram] = {}
    for part in parts:
        observations.extend(part.observations)
        for name, histogram in part.histograms.items():
            if name in histograms:
                histograms[name].add(histogram)
            else:
                histograms[name] = histogram
    observations.sort(key=lambda each: each.at)
    return Run(context, observations, histograms)
