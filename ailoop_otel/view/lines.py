"""One line for each thing that happens, for whoever follows."""

from __future__ import annotations

from rich.text import Text

from ailoop_otel import names
from ailoop_otel.view import theme, units
from ailoop_otel.view.exchanges import Exchange, Session, Timeout, Told
from ailoop_otel.view.records import LogEvent
from ailoop_otel.view.theme import Look

_OUTCOME_WIDTH = 16


def line(told: Told, look: Look) -> Text:
    """What just happened, with the time it happened at."""
    if isinstance(told, Exchange):
        return _exchange(told, look)
    return _timeout(told, look) if isinstance(told, Timeout) else _session(told, look)


def server_line(event: LogEvent, look: Look) -> Text:
    """The server came or went."""
    word = "started" if event.name == names.EVENT_SERVER_START else "stopped"
    return _stamp(event.time, look).append(f"{look.signs.on} server {word}", theme.HEADING)


def _exchange(exchange: Exchange, look: Look) -> Text:
    text = _stamp(exchange.end, look)
    outcome = look.exchange(exchange)
    outcome.append(" " * (_OUTCOME_WIDTH - outcome.cell_len))
    text.append_text(outcome).append(f" {units.duration(exchange.seconds)}".rjust(9))
    parts = []
    if exchange.first_chunk is not None:
        parts.append(f"first chunk {units.duration(exchange.first_chunk)}")
    if exchange.chunks:
        parts.append(units.counted(int(exchange.chunks), "chunk"))
    if exchange.max_gap:
        parts.append(f"max gap {units.duration(exchange.max_gap)}")
    return _tail(text, [*parts, *_place(exchange)], look)


def _timeout(late: Timeout, look: Look) -> Text:
    text = _stamp(late.noticed, look).append_text(
        look.outcome("ai_timeout", f"AI silent for {units.span_of_time(late.deadline)} ({late.phase})")
    )
    delay = "" if late.delay is None else f"noticed +{units.duration(late.delay)}"
    waiting = f"waiting for {late.waiting_for}" if late.waiting_for else ""
    still = "still open" if late.exchange.open else late.ending
    return _tail(text, [delay, waiting, still, *_place(late.exchange)], look)


def _session(session: Session, look: Look) -> Text:
    session_id = units.brief(session.session_id)
    if not session.ended:
        word = "resumed" if session.resumed else "started"
        return _stamp(session.started, look).append(f"{look.signs.on} session {session_id} {word}", theme.LIVE)
    text = _stamp(session.ended, look).append(f"{look.signs.off} session {session_id} ended")
    turns, errors = units.counted(session.turns, "turn"), units.counted(session.errors, "error")
    return _tail(text, [session.end_reason, turns, errors, units.duration(session.seconds)], look)


def _stamp(time: int, look: Look) -> Text:
    return Text(f"{look.clock(time)}  ", theme.QUIET).append("", "not dim")


def _place(exchange: Exchange) -> list[str]:
    session = f"session {units.brief(exchange.session_id)}" if exchange.session_id else ""
    return [session, f"trace {exchange.trace_id[:8]}"]


def _tail(text: Text, parts: list[str], look: Look) -> Text:
    for part in filter(None, parts):
        text.append(f" {look.signs.dot} ", theme.QUIET).append(part)
    return text
