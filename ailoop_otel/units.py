"""Formats numbers, times and ids for people, each with its unit."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone, tzinfo
from typing import Final

NOTHING: Final = "–"
SECOND: Final = 1_000_000_000  # nanoseconds
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)
_SHORTEST, _LONGEST = 8, 12


def duration(seconds: float | None) -> str:
    """A measured duration in ms, s or larger units, with at most three digits."""
    if seconds is None or not math.isfinite(seconds):
        return NOTHING
    if seconds < 0.9995:
        return f"{seconds * 1e3:.{1 if seconds < 0.00995 else 0}f} ms"
    if seconds < 59.95:
        return f"{seconds:.{2 if seconds < 9.995 else 1}f} s"
    return _clockwork(round(seconds))


def span_of_time(seconds: float | None) -> str:
    """A configured duration, without trailing zeros: `30 s`."""
    if seconds is None or not math.isfinite(seconds):
        return NOTHING
    return f"{seconds:g} s" if seconds < 1e6 else duration(seconds)


def count(number: float | None) -> str:
    """A whole number with thousands separators."""
    return NOTHING if number is None else f"{number:,.0f}"


def counted(number: int, thing: str, things: str = "") -> str:
    """A number with its noun: `1 span`, `2 spans`."""
    return f"{number:,} {thing if number == 1 else things or thing + 's'}"


def size(count: int) -> str:
    """A number of bytes in decimal units."""
    if count < 1000:
        return f"{count} B"
    power = min(int(math.log10(count)) // 3, 4)
    return f"{count / 1000**power:.3g} {' kMGT'[power]}B"


def dollars(amount: float) -> str:
    """A sum of money in USD: cents from one dollar on, three digits below."""
    digits = 2 if amount >= 1 or amount <= 0 else min(9, 2 - math.floor(math.log10(amount)))
    whole, _, part = f"{amount:,.{digits}f}".partition(".")
    return f"${whole}.{part.rstrip('0').ljust(2, '0')}"


def moment(nanoseconds: int, zone: tzinfo | None) -> datetime:
    """Nanoseconds since 1970 as a time in a zone, None being the machine's own."""
    return (_EPOCH + timedelta(microseconds=nanoseconds // 1000)).astimezone(zone)


def day(nanoseconds: int, zone: tzinfo | None) -> str:
    """The day: `22 Nov 2025`."""
    date = moment(nanoseconds, zone)
    return f"{date.day} {date:%b %Y}"


def clock(nanoseconds: int, zone: tzinfo | None, *, day: bool) -> str:
    """The time of day, preceded by the day if `day` is true."""
    if not nanoseconds:
        return NOTHING
    return moment(nanoseconds, zone).strftime("%m-%d %H:%M:%S" if day else "%H:%M:%S")


def timestamp(nanoseconds: int) -> str | None:
    """ISO 8601 in UTC with microseconds, for scripts; None for 0, an unknown time."""
    return moment(nanoseconds, timezone.utc).isoformat(timespec="microseconds") if nanoseconds else None


def shorten(identifiers: Iterable[str]) -> dict[str, str]:
    """Short forms that keep these ids distinct: their beginnings, or beginning and end."""
    distinct = {identifier for identifier in identifiers if identifier}
    for length in range(_SHORTEST, _LONGEST + 1):
        if len({identifier[:length] for identifier in distinct}) == len(distinct):
            return {identifier: identifier[:length] for identifier in distinct}
    return {identifier: _ends(identifier) for identifier in distinct}


def brief(identifier: str) -> str:
    """The short form of one id: its beginning if that is hexadecimal, hence probably random, or beginning and end."""
    beginning = identifier[:_SHORTEST]
    return beginning if all(sign in "0123456789abcdefABCDEF" for sign in beginning) else _ends(identifier)


def _ends(identifier: str) -> str:
    return identifier if len(identifier) <= _LONGEST else f"{identifier[:4]}…{identifier[-7:]}"


def _clockwork(seconds: int) -> str:
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days}d {hours:02}h"
    return f"{hours}h {minutes:02}m" if hours else f"{minutes}m {seconds:02}s"
