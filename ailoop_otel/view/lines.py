"""One line for each thing that happens, for whoever follows."""

from __future__ import annotations

from typing import Final

from rich.text import Text

from ailoop_otel import names
from ailoop_otel.recorded.records import LogEvent
from ailoop_otel.view import theme, units
from ailoop_otel.view.exchanges import Exchange, Session, Timeout, Told
from ailoop_otel.view.theme import Look

_OUTCOME_WIDTH: Final = 15
_ROOMY: Final = 100


def line(told: Told, look: Look) -> Text:
    """What just happened, with the time it happened at."""
    if isinstance(told, Exchange):
        return _exchange(told, look)
    return _timeout(told, look) if isinstance(told, Timeout) else _session(told, look)


def server_line(event: LogEvent, look: Look) -> Text:
    """The server came or went."""
    word = "started" if event.name == names.EVENT_SERVER_START else "stopped"
    return _stamp(event.time, "", look).append(f"{look.signs.on} server {word}", theme.HEADING)


def _exchange(exchange: Exchange, look: Look) -> Text:
    text = _stamp(exchange.end, exchange.session_id, look)
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
    return _tail(text, [*parts, exchange.trace_id[:8]], look)


def _timeout(late: Timeout, look: Look) -> Text:
    exchange = late.exchange
    silence = f"AI silent for {units.span_of_time(late.deadline)} ({late.phase or 'unknown phase'})"
    text = _stamp(late.noticed, exchange.session_id, look).append_text(look.outcome("ai_timeout", silence))
    delay = "" if late.delay is None else f"noticed +{units.duration(late.delay)}"
    waiting = f"waits on {late.waiting_for}" if late.waiting_for else ""
    ending = "still open" if exchange.open else late.ending
    return _tail(text, [delay, waiting, ending, exchange.trace_id[:8]], look)


def _session(session: Session, look: Look) -> Text:
    if not session.ended:
        word = "resumed" if session.resumed else "started"
        text = _stamp(session.started, session.session_id, look)
        return text.append(f"{look.signs.on} session {word}", theme.LIVE)
    text = _stamp(session.ended, session.session_id, look).append(f"{look.signs.off} session ended")
    turns, errors = units.counted(session.turns, "turn"), units.counted(session.errors, "error")
    return _tail(text, [session.end_reason, turns, errors, units.duration(session.seconds)], look)


def _stamp(time: int, session_id: str, look: Look) -> Text:
    short = units.brief(session_id) if session_id else units.NOTHING
    return Text().append(look.clock(time), theme.QUIET).append(f"  {short:<8}  ")


def _tail(text: Text, parts: list[str], look: Look) -> Text:
    for part in filter(None, parts):
        text.append(f" {look.signs.dot} ", theme.QUIET).append(part)
    return text
