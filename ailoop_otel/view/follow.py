"""`ailoop-otel traces --follow`: one line for each entry when it is written."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import tzinfo
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from ailoop_otel import names, units
from ailoop_otel.recorded import files
from ailoop_otel.recorded.files import Follower, ReadCounts
from ailoop_otel.recorded.records import Batch, LogEvent
from ailoop_otel.settings import UsageError
from ailoop_otel.terminal import Terminal
from ailoop_otel.view import json_output, overview, theme
from ailoop_otel.view.aggregator import Aggregator
from ailoop_otel.view.exchanges import Entry, Exchange, Session, Timeout
from ailoop_otel.view.options import TracesOptions
from ailoop_otel.view.theme import Look
from ailoop_otel.view.trace_files import must_be_readable, no_telemetry

POLL_SECONDS: Final = 0.25
_OUTCOME_WIDTH: Final = 15
_ROOMY: Final = 100


def follow(
    options: TracesOptions,
    console: Console,
    *,
    zone: tzinfo | None = None,
    now: Callable[[], int] = time.time_ns,
    wait: Callable[[float], None] = time.sleep,
) -> None:
    """Print a line for each exchange, session and AI timeout as it is written, until KeyboardInterrupt.

    Earlier ones are left out, unless the filters have `since`. `wait` is called with the seconds between two polls.
    Raises UsageError for the options of a single trace.
    """
    if options.trace:
        raise UsageError("--follow shows what comes, --trace what has come: take one of them")
    must_be_readable(options.place)
    follower = Follower(options.place, from_start=bool(options.filters.since))
    printer = _Printer(options, console, theme.look(console, zone, (options.filters.since or now(), now())))
    printer.greet()
    while True:
        for batch in follower.poll():
            printer.print(batch)
        printer.print_lost()
        printer.warn(follower)
        wait(POLL_SECONDS)


class _Printer:
    """Prints batches of records; keeps the state between polls."""

    def __init__(self, options: TracesOptions, console: Console, look: Look) -> None:
        self._options = options
        self._console = console
        self._look = look
        self._aggregator = Aggregator(options.filters)
        self._warnings: set[str] = set()
        self._lost: set[tuple[str, str]] = set()

    def greet(self) -> None:
        """Print what is followed, or what to do if there is no telemetry yet."""
        if self._options.json:
            return
        place = self._options.place
        paths = files.find(place)
        if paths:
            self._print_note(f"following {units.counted(len(paths), 'file')} in {place}; Ctrl-C ends")
            for warning in overview.warnings(ReadCounts(), paths):
                self._console.print(warning, soft_wrap=True)
        else:
            self._print_note(f"{no_telemetry(place)}; waiting for it, Ctrl-C ends")

    def print(self, batch: Batch) -> None:
        """Print the entries that a batch starts or completes."""
        self._aggregator.servers.note(batch)
        for event in batch.events:
            if self._aggregator.add_event(event):
                self._print_line(_server(event, self._look), json_output.server(event))
        for span in batch.spans:
            entry = self._aggregator.add(span)
            if entry is not None:
                self._print_entry(entry)

    def print_lost(self) -> None:
        """Print the exchanges and sessions whose server was killed."""
        if not self._aggregator.servers.look():
            return
        entries: list[Exchange | Session] = [*self._aggregator.exchanges(), *self._aggregator.shown_sessions()]
        for entry in entries:
            key = entry.trace_id, entry.session_id
            if entry.lost and key not in self._lost:
                self._lost.add(key)
                self._print_entry(entry)

    def warn(self, follower: Follower) -> None:
        """Print what could not be read, each warning once."""
        for warning in overview.warnings(follower.counts):
            if warning.plain not in self._warnings:
                self._warnings.add(warning.plain)
                console = Terminal(stderr=True) if self._options.json else self._console
                console.print(warning, soft_wrap=True)

    def _print_entry(self, entry: Entry) -> None:
        text, document = _FORMS[type(entry)]
        self._print_line(text(entry, self._look), document(entry))

    def _print_line(self, text: Text, document: dict[str, object]) -> None:
        if self._options.json:
            json_output.write(self._console, document)
        else:
            # A terminal wraps between words; in a pipe each entry is exactly one line.
            self._console.print(text, soft_wrap=not self._console.is_terminal)

    def _print_note(self, text: str) -> None:
        self._console.print(Text(text, theme.QUIET), soft_wrap=True)


def _server(event: LogEvent, look: Look) -> Text:
    word = "started" if event.name == names.EVENT_SERVER_START else "stopped"
    return _stamp(event.time, "", look).append(f"{theme.ON} server {word}", theme.HEADING)


def _exchange(exchange: Exchange, look: Look) -> Text:
    text = _stamp(exchange.lost or exchange.end, exchange.session_id, look)
    outcome = look.exchange(exchange)
    outcome.append(" " * (_OUTCOME_WIDTH - outcome.cell_len))
    text.append_text(outcome).append(f" {units.duration(exchange.seconds):>7}")
    parts = []
    if exchange.first_chunk is not None:
        parts.append(f"first {units.duration(exchange.first_chunk)}")
    if exchange.chunks:
        parts.append(units.counted(int(exchange.chunks), "chunk"))
    if exchange.max_gap and look.console.width >= _ROOMY:
        parts.append(f"gap {units.duration(exchange.max_gap)}")
    return _tail(text, [*parts, exchange.trace_id[:8]])


def _timeout(timeout: Timeout, look: Look) -> Text:
    exchange = timeout.exchange
    silence = f"AI silent for {units.span_of_time(timeout.deadline)} ({timeout.phase or 'unknown phase'})"
    text = _stamp(timeout.noticed, exchange.session_id, look).append_text(look.outcome("ai_timeout", silence))
    delay = "" if timeout.delay is None else f"noticed +{units.duration(timeout.delay)}"
    waiting = f"waits on {timeout.waiting_for}" if timeout.waiting_for else ""
    ending = "still open" if exchange.open else timeout.ending
    return _tail(text, [delay, waiting, ending, exchange.trace_id[:8]])


def _session(session: Session, look: Look) -> Text:
    if session.lost:
        return _stamp(session.lost, session.session_id, look).append(f"{theme.OFF} session ended with the server")
    if not session.ended:
        word = "resumed" if session.resumed else "started"
        text = _stamp(session.started, session.session_id, look)
        return text.append(f"{theme.ON} session {word}", theme.LIVE)
    text = _stamp(session.ended, session.session_id, look).append(f"{theme.OFF} session ended")
    turns, errors = units.counted(session.turns, "turn"), units.counted(session.errors, "error")
    return _tail(text, [session.end_reason, turns, errors, units.duration(session.seconds)])


def _stamp(time: int, session_id: str, look: Look) -> Text:
    short = units.brief(session_id) if session_id else units.NOTHING
    return Text().append(look.clock(time), theme.QUIET).append(f"  {short:<8}  ")


def _tail(text: Text, parts: list[str]) -> Text:
    for part in filter(None, parts):
        text.append(f" {theme.DOT} ", theme.QUIET).append(part)
    return text


# How each entry is shown, for people and for scripts.
_FORMS: Final[dict[type, tuple[Callable[[Any, Look], Text], Callable[[Any], dict[str, object]]]]] = {
    Exchange: (_exchange, json_output.exchange),
    Timeout: (_timeout, json_output.timeout),
    Session: (_session, json_output.session),
}
