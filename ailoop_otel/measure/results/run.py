"""One run: its observations and histograms, and the context in which they were measured."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from statistics import fmean
from typing import Any, Final

from hdrh.histogram import HdrHistogram

from ailoop_otel.measure.results.definitions import DEFINITIONS, Definition
from ailoop_otel.measure.results.histograms import histogram
from ailoop_otel.measure.results.level_figures import LevelFigures
from ailoop_otel.measure.results.observations import Observation

_LONGEST: Final = 1e10  # seconds, as long as a run can be


@dataclass(frozen=True, slots=True)
class Context:
    """The context of a run, which can be written as JSON; the report shows it, a comparison compares it.

    `machine` is `machine.fingerprint()`; `versions` maps programs and packages to versions; `settings` are those of
    the scenario; `server` describes the server (`url`, `dialect`, `pid`, `started_by_us`, `instrumented`); `notes`
    are sentences for the reader of a report, such as that the load generator was the bottleneck.
    """

    scenario: str
    source: str = "client"
    """`client`: measured by load; `telemetry`: read from recorded telemetry; `tests`: a pytest run; `legacy`."""
    started_at: str = ""
    """ISO 8601, UTC."""
    duration: float = 0.0
    """Seconds from the first planned message to the end, without the warm-up."""
    machine: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    server: dict[str, Any] = field(default_factory=dict)
    load: dict[str, Any] = field(default_factory=dict)
    """The load that was put on, beside the one that was asked for: see `load.result.delivered`."""
    levels: tuple[LevelFigures, ...] = ()
    """The levels of a ramp, in the order in which they ran."""
    notes: tuple[str, ...] = ()
    jaeger: str = ""
    """Jaeger's address for links to traces, `http://127.0.0.1:16686`; empty for no links."""

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Context:
        """Create a context from what was read from JSON; members that this version does not know are left out.

        Raises ValueError for a member of a wrong type, and TypeError if there is no scenario.
        """
        members = {name: _member(name, document[name], default) for name, default in _DEFAULTS if name in document}
        levels = document.get("levels")
        members["levels"] = tuple(map(LevelFigures.read, levels)) if isinstance(levels, list) else ()
        return cls(**members)


_DEFAULTS: Final = tuple((name, each) for name, each in asdict(Context("")).items() if name != "levels")


def _member(name: str, value: Any, default: object) -> Any:
    if isinstance(default, tuple):
        fits = isinstance(value, list | tuple) and all(isinstance(each, str) for each in value)
        value = tuple(value) if fits else value
    elif isinstance(default, float):
        fits = isinstance(value, int | float) and 0 <= value < _LONGEST
    else:
        fits = isinstance(value, type(default))
    if not fits:
        raise ValueError(f"{name} of the context is {value!r:.40}")
    return value


@dataclass(frozen=True)
class Run:
    """The context, observations in any order, and histograms (microseconds) of events too frequent for observations."""

    context: Context
    observations: Sequence[Observation]
    histograms: dict[str, HdrHistogram] = field(default_factory=dict)

    @cached_property
    def _by_metric(self) -> dict[str, list[Observation]]:
        found: dict[str, list[Observation]] = {}
        for row in sorted(self.observations, key=lambda row: row.at):
            rows = found.setdefault(row.metric, [])
            if row.phase != "warmup":
                rows.append(row)
        return found

    def of(self, definition: Definition) -> Iterator[Observation]:
        """The observations of one metric in order of time, without the warm-up."""
        return iter(self._by_metric.get(definition.name, ()))

    def steady(self, definition: Definition) -> list[Observation]:
        """Those that figures are computed from: the observations of a ramp only if there are no others."""
        rows = list(self.of(definition))
        return [row for row in rows if row.phase != "ramp"] or rows

    def metrics(self) -> list[Definition]:
        """The metrics that were observed, in the order of the table of definitions."""
        seen = self._by_metric.keys() | self.histograms.keys()
        return [definition for name, definition in DEFINITIONS.items() if name in seen]


def merged(context: Context, parts: Iterable[Run]) -> Run:
    """Join the runs of several load processes; their histograms are added without loss."""
    observations: list[Observation] = []
    histograms: dict[str, HdrHistogram] = {}
    for part in parts:
        observations.extend(part.observations)
        for name, each in part.histograms.items():
            histograms.setdefault(name, histogram()).add(each)
    observations.sort(key=lambda each: each.at)
    return Run(context, observations, histograms)


def pooled(runs: Sequence[Run]) -> Run:
    """Join several runs of one scenario, one after the other in time; the context is that of the last.

    A metric with one value per run has the mean of these values, and levels are those of the last run. Sessions and
    exchanges are numbered on.
    """
    if len(runs) == 1:
        return runs[0]
    begun, session, exchange, parts, whole = 0.0, 0, 0, [], dict[str, list[Observation]]()
    for run in runs:
        moved = [_moved(row, begun, session, exchange) for row in run.observations]
        begun = max((row.at for row in moved), default=0.0)
        session = max((row.session + 1 for row in moved), default=0)
        exchange = max((row.exchange + 1 for row in moved), default=0)
        for row in moved:
            if DEFINITIONS[row.metric].each == "run":
                whole.setdefault(row.metric, []).append(row)
        parts.append(replace(run, observations=[row for row in moved if row.metric not in whole]))
    means = [rows[-1]._replace(value=fmean(row.value for row in rows)) for rows in whole.values()]
    notes = tuple(dict.fromkeys(note for run in runs for note in run.context.notes))
    if runs[-1].context.levels:
        notes += ("The levels shown are those of the last run.",)
    duration = sum(run.context.duration for run in runs)
    context = replace(runs[-1].context, started_at=runs[0].context.started_at, notes=notes, duration=duration)
    return merged(context, [*parts, Run(context, means)])


def _moved(row: Observation, at: float, session: int, exchange: int) -> Observation:
    """An observation so much later, with its numbers counted on; -1 stays none."""
    return row._replace(
        at=row.at + at,
        session=row.session + session if row.session >= 0 else -1,
        exchange=row.exchange + exchange if row.exchange >= 0 else -1,
    )
