"""The traffic in a server's telemetry, to be sent again: when each session opened, sent its messages and closed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from itertools import accumulate
from typing import Any, Final

from ailoop_otel.measure import Refusal
from ailoop_otel.measure.telemetry.exchanges import ServerExchange
from ailoop_otel.measure.telemetry.reading import Reading, is_command

_SECOND: Final = 1e9
_WEEK: Final = 7 * 86_400.0


@dataclass(frozen=True, slots=True)
class Traffic:
    """Recorded traffic: `recorded` are the tables of `load.recorded_sessions.Recorded`.

    `sessions` is how many were open at once at most, `seconds` how long it lasts at its pace.
    """

    recorded: dict[str, Any]
    sessions: int
    seconds: float


def traffic_of(reading: Reading, pace: float) -> Traffic:
    """The traffic in what was read, `pace` times as fast as it was recorded.

    A session that was open before the recording, or before the time that was asked for, opens at its begin; one whose
    end was not recorded closes at the end. A message of no known session has one of its own. Raises Refusal where there
    is no message, or more than a week.
    """
    telemetry, since = reading.telemetry, reading.since
    exchanges = sorted(
        (each for each in telemetry.exchanges.values() if each.start >= since), key=lambda one: one.start
    )
    if not exchanges:
        raise Refusal(
            f"no message to an AI was recorded in {reading.place}{' since then' if since else ''}: "
            f"{'give an earlier --since' if since else 'name another directory'}"
        )
    of_session: defaultdict[str, list[ServerExchange]] = defaultdict(list)
    for number, exchange in enumerate(exchanges):
        of_session[exchange.session_id or f"#{number}"].append(exchange)
    opened = {key: start for key, start in telemetry.begun.items() if start >= since}
    closed: dict[str, int] = {}
    for session in telemetry.sessions.values():
        key, end = session.session_id, session.start + round(session.seconds * _SECOND)
        of_session.setdefault(key, [])
        if session.start >= since:
            opened[key] = min(opened.get(key, session.start), session.start)
        closed[key] = max(closed.get(key, end), end)
    for key in opened:
        of_session.setdefault(key, [])
    begin = min([exchanges[0].start, *opened.values()])
    end = max([exchanges[-1].start, *closed.values(), *opened.values()])
    if (end - begin) / _SECOND / pace > _WEEK:
        raise Refusal(f"{reading.place} holds more than a week: give a later --since, or a faster --pace")

    def at(time: int) -> float:
        return max(0, time - begin) / _SECOND / pace

    made = []
    for key, sent in of_session.items():
        messages = [_message(each, at(each.start), reading) for each in sent]
        times = [each["at"] for each in messages]
        # Sessions without an id, of one message each, are open for that message only.
        alone = key.startswith("#")
        first = times[0] if alone else at(opened.get(key, begin))
        last = times[0] if alone else at(closed.get(key, end))
        made.append({"opened": min([first, *times]), "closed": max([last, *times]), "messages": messages})
    made.sort(key=lambda session: session["opened"])
    recorded = {"source": _source(reading, begin, end), "pace": pace, "sessions": made}
    return Traffic(recorded, _most_at_once(made), max(0.1, max(session["closed"] for session in made)))


def _message(exchange: ServerExchange, at: float, reading: Reading) -> dict[str, Any]:
    told = reading.telemetry.texts.get(exchange.trace_id, []) if reading.telemetry.texts is not None else []
    captured = min((each for each in told if each[0] >= exchange.start), default=None)
    return {
        "at": at,
        "size": round(exchange.size or 0),
        "text": captured[1] if captured and captured[0] <= exchange.end else "",
        "command": is_command(exchange),
    }


def _source(reading: Reading, begin: int, end: int) -> str:
    times = (
        datetime.fromtimestamp(each / _SECOND, timezone.utc).isoformat(timespec="seconds") for each in (begin, end)
    )
    return f"{reading.place}, {' to '.join(times)}"


def _most_at_once(sessions: Sequence[Mapping[str, Any]]) -> int:
    """How many sessions are open at once, at most."""
    changes = sorted([*((each["opened"], 1) for each in sessions), *((each["closed"], 2) for each in sessions)])
    return max(accumulate(1 if change == 1 else -1 for _, change in changes))
