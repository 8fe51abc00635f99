"""`ailoop-otel top`: the server as it is now, by its telemetry directory or by Prometheus, refreshed in place."""

from __future__ import annotations

import math
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from pathlib import Path
from typing import Final

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ailoop_otel import names, units
from ailoop_otel.recorded.files import Follower, ReadCounts
from ailoop_otel.recorded.otlp_json import double, mapping, mappings, text
from ailoop_otel.recorded.records import Point, process_of, reader
from ailoop_otel.settings import UsageError
from ailoop_otel.units import SECOND
from ailoop_otel.view import json_output, overview, theme
from ailoop_otel.view.aggregator import Aggregator
from ailoop_otel.view.exchanges import OK, DurationHistogram, Exchange
from ailoop_otel.view.options import OPEN, Filters
from ailoop_otel.view.queries import address, ask
from ailoop_otel.view.servers import Servers
from ailoop_otel.view.theme import Look
from ailoop_otel.view.trace_files import unreadable

WINDOW: Final = 300  # seconds that rates, percentiles and errors are of
# What is read of each file at the beginning: several minutes of a busy server.
_RECENT: Final = 16 * 1024 * 1024  # bytes
# Exchanges of which nothing was seen for so long have ended with their server.
_GONE: Final = 3600  # seconds
_METRICS: Final = {
    names.METRIC_EXCHANGE_ACTIVE.name: "open",
    names.METRIC_EXCHANGE_SILENT.name: "silent",
    names.METRIC_SESSION_ACTIVE.name: "sessions",
    names.METRIC_SESSION_RETAINED.name: "retained",
    names.METRIC_CONNECTION_ACTIVE.name: "connections",
    names.METRIC_MEMORY_USAGE.name: "memory",
    names.METRIC_KEPT.name: "kept",
    names.METRIC_SENT.name: "sent",
    names.METRIC_DROPPED.name: "dropped",
}
_OF_5_MINUTES: Final = f"[{WINDOW}s]"
# Percentiles leave failures out, as in reports.
_OK: Final = f'{names.OUTCOME.replace(".", "_")}="{OK}"'
PAUSE: Final = 1.0  # seconds between two looks at the server
_COLUMN: Final = 12
_MOST_OPEN: Final = 20
# An exchange that has been silent for so long is marked, and one that has been for half of it, seconds.
_SILENT: Final = 30.0


@dataclass(slots=True)
class Now:
    """The numbers at one moment; None, or no key, is what is not known. Times in seconds, memory in bytes.

    `values` has a number by its name in `_METRICS`; `open` lists the exchanges that are known to be open, the longest
    silent first. `ended` is when the server ended, nanoseconds since 1970, 0 while it may run.
    `counts` is what of the files could not be read, and `paths` are these files; a Prometheus has none.
    """

    source: str
    time: int
    values: dict[str, float] = field(default_factory=dict)
    per_minute: float | None = None
    first_p50: float | None = None
    first_p95: float | None = None
    lag: float | None = None
    errors: dict[str, float] = field(default_factory=dict)
    open: list[Exchange] = field(default_factory=list)
    metrics_from: int = 0
    ended: int = 0
    counts: ReadCounts = field(default_factory=ReadCounts)
    paths: list[Path] = field(default_factory=list)

    @property
    def spooled(self) -> float | None:
        """Records that are kept on disk until the collector takes them."""
        kept = self.values.get("kept")
        return None if kept is None else max(0.0, kept - self.values.get("sent", 0.0))


class Directory:
    """Reads a telemetry directory while it is written to."""

    def __init__(self, place: Path, clock: Callable[[], int] = time.time_ns) -> None:
        wanted = {*_METRICS, names.METRIC_LOOP_LAG.name}
        self._follower = Follower(place, recent=_RECENT, parser=reader(wanted))
        self._place = place
        self._clock = clock
        self._aggregator = Aggregator(Filters(), Servers(clock))
        self._ended: deque[Exchange] = deque()
        self._points: dict[tuple[object, ...], tuple[Point, Point]] = {}

    def read(self) -> Now:
        """What is known now, with what was written since the last time; raises UsageError if no line can be read."""
        servers = self._aggregator.servers
        for batch in self._follower.poll():
            servers.note(batch)
            for span in batch.spans:
                entry = self._aggregator.add(span)
                if isinstance(entry, Exchange):
                    self._ended.append(entry)
            for point in batch.points:
                self._add(point)
        counts = self._follower.counts
        if not counts.understood and (counts.unreadable or counts.skipped):
            raise UsageError(unreadable(self._place, counts))
        servers.look()
        now = self._clock()
        recent = now - WINDOW * SECOND
        self._ended = deque(exchange for exchange in self._ended if exchange.end >= recent)
        found = Now(f"{self._place}", now, ended=servers.all_ended(), counts=counts, paths=self._follower.paths)
        still = [each for each in self._aggregator.open() if each.end > now - _GONE * SECOND and not each.lost]
        found.open = sorted(still, key=lambda exchange: exchange.heard)[:_MOST_OPEN]
        self._count(found)
        self._measure(found)
        return found

    def _add(self, point: Point) -> None:
        """Keep the two latest of each series."""
        key = (point.metric, point.start, *sorted(map(str, point.attributes.items())), str(point.resource))
        latest = self._points.get(key, (point, point))[1]
        self._points[key] = (latest, point)

    def _count(self, found: Now) -> None:
        first_chunks = DurationHistogram()
        for exchange in self._ended:
            if exchange.first_chunk is not None:
                first_chunks.add(exchange.first_chunk)
        errors = Counter(exchange.error_type or exchange.outcome for exchange in self._ended if exchange.outcome != OK)
        found.errors = dict(errors)
        found.per_minute = 60 * len(self._ended) / WINDOW
        if first_chunks.count:
            found.first_p50, found.first_p95 = first_chunks.percentile(0.5), first_chunks.percentile(0.95)

    def _measure(self, found: Now) -> None:
        # A process that has ended writes no more: its last numbers are not those of now.
        runs = self._aggregator.servers.runs
        self._points = {key: pair for key, pair in self._points.items() if runs(process_of(pair[1].resource))}
        found.metrics_from = max((point.time for _, point in self._points.values()), default=0)
        late, beats = 0.0, 0.0
        for before, point in self._points.values():
            name = _METRICS.get(point.metric)
            if name is not None:
                found.values[name] = found.values.get(name, 0.0) + point.value
            elif point.metric == names.METRIC_LOOP_LAG.name:
                since = 0.0 if before is point or point.delta else 1.0
                late += point.total - since * before.total
                beats += point.value - since * before.value
        found.lag = late / beats if beats > 0 else None


class Prometheus:
    """Asks a Prometheus that has the server's metrics: https://prometheus.io/docs/prometheus/latest/querying/api/."""

    def __init__(self, url: str, clock: Callable[[], int] = time.time_ns) -> None:
        self._base = address(url, "--prometheus")
        self._clock = clock

    def read(self) -> Now:
        """What is known now; raises UsageError if nothing answers."""
        found = Now(self._base, self._clock())
        for metric, name in _METRICS.items():
            counter = name in ("kept", "sent", "dropped")
            unit = "_bytes" if name == "memory" else "_total" if counter else ""
            value = self._one(f"sum({_prometheus(metric)}{unit})")
            if value is not None:
                found.values[name] = value
        first = f"{_prometheus(names.METRIC_FIRST_CHUNK.name)}_seconds_bucket"
        exchanges = f"{_prometheus(names.METRIC_EXCHANGE_DURATION.name)}_seconds_count"
        lag = f"{_prometheus(names.METRIC_LOOP_LAG.name)}_seconds"
        found.per_minute = self._one(f"60 * sum(rate({exchanges}{_OF_5_MINUTES}))")
        found.first_p50, found.first_p95 = (
            self._one(f"histogram_quantile({share}, sum by (le) (rate({first}{{{_OK}}}{_OF_5_MINUTES})))")
            for share in (0.5, 0.95)
        )
        found.lag = self._one(f"sum(rate({lag}_sum{_OF_5_MINUTES})) / sum(rate({lag}_count{_OF_5_MINUTES}))")
        kind = _prometheus(names.ERROR_TYPE)
        errors = f"{_prometheus(names.METRIC_ERRORS.name)}_total{_OF_5_MINUTES}"
        for labels, value in self._ask(f"sum by ({kind}) (increase({errors})) > 0"):
            found.errors[text(labels.get(kind)) or names.OTHER] = value
        # A collector forgets the metrics of a server that sends none any more.
        found.metrics_from = found.time if found.values else 0
        return found

    def _one(self, query: str) -> float | None:
        return next((value for _, value in self._ask(query)), None)

    def _ask(self, query: str) -> Iterator[tuple[Mapping[str, object], float]]:
        answer = mapping(ask(f"{self._base}/api/v1/query", {"query": query}))
        if answer.get("status") != "success":
            raise UsageError(f"{self._base} is no Prometheus: name its address, http://127.0.0.1:9090 as a rule")
        for series in mappings(mapping(answer.get("data")).get("result")):
            pair = series.get("value")
            value = double(pair[1]) if isinstance(pair, list) and len(pair) == 2 else None
            if value is not None and math.isfinite(value):
                yield mapping(series.get("metric")), value


def _prometheus(name: str) -> str:
    """A metric's or label's name as Prometheus has it, without a unit."""
    return name.replace(".", "_")


def top(
    source: Directory | Prometheus,
    console: Console,
    *,
    once: bool,
    json: bool,
    zone: tzinfo | None = None,
    wait: Callable[[float], None] = time.sleep,
) -> None:
    """Show the server until KeyboardInterrupt, or `once`; raises UsageError if the source cannot be read."""
    now = source.read()
    if json:
        json_output.write(console, document(now))
    elif once or not console.is_terminal:
        console.print(_screen(now, console, zone))
    else:
        with Live(_screen(now, console, zone), console=console, screen=True, auto_refresh=False) as live:
            while True:
                live.update(_screen(source.read(), console, zone), refresh=True)
                wait(PAUSE)


def document(now: Now) -> dict[str, object]:
    """The JSON object of one moment."""
    return {
        "kind": "now",
        "time": units.timestamp(now.time),
        "source": now.source,
        "metrics_from": units.timestamp(now.metrics_from),
        "server_ended": units.timestamp(now.ended),
        **{name: now.values.get(name) for name in ("open", "silent", "sessions", "retained", "connections")},
        "exchanges_per_minute": now.per_minute,
        "first_chunk_p50_s": now.first_p50,
        "first_chunk_p95_s": now.first_p95,
        "loop_lag_s": now.lag,
        "memory_bytes": now.values.get("memory"),
        "spooled": now.spooled,
        "dropped": now.values.get("dropped"),
        "errors": now.errors,
        "skipped_lines": now.counts.skipped,
        "unreadable": now.counts.unreadable,
        "files": [str(path) for path in now.paths],
        "open_exchanges": [
            {**json_output.exchange(each), "duration_s": _lasted(each, now), "silent_s": _silent(each, now)}
            for each in now.open
        ],
    }


def _screen(now: Now, console: Console, zone: tzinfo | None) -> RenderableType:
    look = theme.look(console, zone, ())
    title = Text("AILoop", theme.HEADING).append(f"  {now.source}  {look.clock(now.time)}", "not bold dim")
    if now.ended:
        title.append(f"\nthe server ended at {look.clock(now.ended)}", theme.BAD)
    elif not now.metrics_from:
        title.append("\nno metrics of a running server: it writes them each minute", theme.UNSURE)
    parts: list[RenderableType] = [title, Text(), *(_line(label, rest) for label, rest in _numbers(now))]
    if now.open:
        parts += [Text(), _open(now, look)]
    if warnings := list(overview.warnings(now.counts, now.paths)):
        parts += [Text(), *warnings]
    return Group(*parts)


def _numbers(now: Now) -> Iterator[tuple[str, list[Text]]]:
    values = now.values

    def number(name: str, word: str, bad: bool = False) -> Text:
        value = values.get(name)
        return Text(f"{units.count(value)} {word}", theme.BAD if bad and value else "")

    rate = units.NOTHING if now.per_minute is None else f"{now.per_minute:.3g} a minute"
    yield "Exchanges", [number("open", "open"), number("silent", "silent", True), Text(rate)]
    yield "Sessions", [number("sessions", "in use"), number("retained", "left"), number("connections", "connections")]
    percentiles = ((f"p{share}", value) for share, value in ((50, now.first_p50), (95, now.first_p95)))
    yield "First chunk", [Text(f"{label} {units.duration(value)}") for label, value in percentiles]
    errors = sorted(now.errors.items(), key=lambda error: (-error[1], error[0]))
    yield "Errors", [Text(f"{units.count(count)} {kind}", theme.BAD) for kind, count in errors] or [Text("none")]
    memory = values.get("memory")
    yield "Memory", [Text(units.NOTHING if memory is None else units.size(int(memory)))]
    yield "Loop lag", [Text(units.duration(now.lag), theme.BAD if (now.lag or 0.0) > 0.1 else "")]
    spooled = Text(f"{units.count(now.spooled)} waiting", theme.UNSURE if now.spooled else "")
    yield "Spool", [spooled, number("dropped", "dropped", True)]


def _line(label: str, parts: list[Text]) -> Text:
    over = f" (of {WINDOW // 60} min)" if label in ("First chunk", "Errors") else ""
    line = Text(f"{label:<{_COLUMN}}", theme.QUIET)
    line.append_text(Text(f" {theme.DOT} ", "dim").join(Text("", "not dim") + part for part in parts))
    return line.append(over, theme.QUIET)


def _open(now: Now, look: Look) -> RenderableType:
    """The exchanges that are known to be open, the longest silent first."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style=theme.QUIET)
    for name in ("Open", "Session", "For", "Silent", "Trace"):
        table.add_column(name, justify="right" if name in ("For", "Silent") else "left", no_wrap=True)
    for exchange in now.open:
        silent = _silent(exchange, now)
        style = theme.BAD if silent >= _SILENT or exchange.timeouts else theme.UNSURE if silent >= _SILENT / 2 else ""
        table.add_row(
            look.outcome(OPEN, look.clock(exchange.start)),
            units.brief(exchange.session_id) if exchange.session_id else units.NOTHING,
            units.duration(_lasted(exchange, now)),
            Text(units.duration(silent), style),
            exchange.trace_id[:8],
        )
    return table


def _lasted(exchange: Exchange, now: Now) -> float:
    """Seconds since its message."""
    return max(0, now.time - exchange.start) / units.SECOND


def _silent(exchange: Exchange, now: Now) -> float:
    """Seconds since the last sign of its AI that is written: what came since is written when it ends."""
    return max(0, now.time - exchange.heard) / units.SECOND
