"""The options `--since` and `--until`, which are the same in all commands: a span of time before now, or a moment."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

from ailoop_otel.settings import UsageError

_SECONDS: Final = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
_PIECE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(s|min|m|h|d)", re.IGNORECASE)
_SPAN: Final = re.compile(rf"(?:{_PIECE.pattern}\s*)+", re.IGNORECASE)
# Not longer ago than the clock goes back.
_MOST: Final = 1e9


def parse_since(text: str, now: int, option: str = "--since") -> int:
    """Read `90s`, `30 min`, `1h30m`, `2d` or `2025-11-28T10:00` (local time without a zone) as a moment.

    `now` and the result are nanoseconds since 1970, 0 for an empty text. Raises UsageError, which names the `option`,
    for anything else.
    """
    wanted = text.strip()
    if not wanted:
        return 0
    if _SPAN.fullmatch(wanted):
        seconds = sum(float(number) * _SECONDS[unit.lower()] for number, unit in _PIECE.findall(wanted))
        return now - round(min(seconds, _MOST) * 1e9)
    try:
        # Python 3.10 does not read the `Z`.
        return round(datetime.fromisoformat(re.sub("[zZ]$", "+00:00", wanted)).timestamp() * 1e9)
    except (ValueError, OverflowError, OSError):
        raise UsageError(f"{option} {text!r} is no time: write 90s, 10m, 1h30m, 2d or 2025-11-28T10:00") from None
