"""`ailoop-otel top`: the server as it is now, refreshed in place."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import tzinfo
from typing import Final, Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ailoop_otel.view import json_output, theme, units
from ailoop_otel.view.exchanges import Exchange
from ailoop_otel.view.measures import WINDOW, Now
from ailoop_otel.view.options import OPEN
from ailoop_otel.view.theme import Look

PAUSE: Final = 1.0  # seconds between two looks at the server
_COLUMN: Final = 12
_MOST_OPEN: Final = 20
# An exchange that has been silent for so long is marked, and one that has been for half of it, seconds.
_SILENT: Final = 30.0


class Source(Protocol):
    """What knows how the server is now."""

    def read(self) -> Now:
        """Look once."""


def top(
    source: Source,
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
        console.file.write(json_output.encode(document(now)) + "\n")
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
        "open_exchanges": [
            {**json_output.exchange(exchange), "silent_s": _silent(exchange, now)} for exchange in _longest(now)
        ],
    }


def _screen(now: Now, console: Console, zone: tzinfo | None) -> RenderableType:
    look = theme.look(console, zone, ())
    title = Text("AILoop", theme.HEADING).append(f"  {now.source}  {look.clock(now.time)}", "not bold dim")
    if now.ended:
        title.append(f"\nthe server ended at {look.clock(now.ended)}", theme.BAD)
    elif not now.metrics_from:
        title.append("\nno metrics of a running server: it writes them each minute", theme.UNSURE)
    parts: list[RenderableType] = [title, Text(), *(_line(label, rest, look) for label, rest in _numbers(now))]
    if now.open:
        parts += [Text(), _open(now, look)]
    return Group(*parts)


def _numbers(now: Now) -> Iterator[tuple[str, list[Text]]]:
    values = now.values

    def number(name: str, word: str, bad: bool = False) -> Text:
        value = values.get(name)
        return Text(f"{units.count(value)} {word}", theme.BAD if bad and value else "")

    yield "Exchanges", [number("open", "open"), number("silent", "silent", True), _rate(now)]
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


def _rate(now: Now) -> Text:
    return Text(units.NOTHING if now.per_minute is None else f"{now.per_minute:.3g} a minute")


def _line(label: str, parts: list[Text], look: Look) -> Text:
    over = f" (of {WINDOW // 60} min)" if label in ("First chunk", "Errors") else ""
    line = Text(f"{label:<{_COLUMN}}", theme.QUIET)
    line.append_text(Text(f" {look.signs.dot} ", "dim").join(Text("", "not dim") + part for part in parts))
    return line.append(over, theme.QUIET)


def _open(now: Now, look: Look) -> RenderableType:
    """The exchanges that are known to be open, the longest silent first."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style=theme.QUIET)
    for name in ("Open", "Session", "For", "Silent", "Trace"):
        table.add_column(name, justify="right" if name in ("For", "Silent") else "left", no_wrap=True)
    for exchange in _longest(now):
        silent = _silent(exchange, now)
        style = theme.BAD if silent >= _SILENT or exchange.timeouts else theme.UNSURE if silent >= _SILENT / 2 else ""
        table.add_row(
            look.outcome(OPEN, look.clock(exchange.start)),
            units.brief(exchange.session_id) if exchange.session_id else units.NOTHING,
            units.duration(max(0, now.time - exchange.start) / units.SECOND),
            Text(units.duration(silent), style),
            exchange.trace_id[:8],
        )
    return table


def _longest(now: Now) -> list[Exchange]:
    return sorted(now.open, key=lambda exchange: exchange.end)[:_MOST_OPEN]


def _silent(exchange: Exchange, now: Now) -> float:
    """Seconds since the latest of its spans ended: what came since is written when it ends."""
    return max(0, now.time - exchange.end) / units.SECOND
