"""Histograms for events that are too frequent for one observation each, such as gaps between chunks.

They are HdrHistograms of microseconds with three significant digits (http://hdrhistogram.org), so that those of
several load processes add up without loss.
"""

from __future__ import annotations

from typing import Final

from hdrh.histogram import HdrHistogram

LONGEST: Final = 3600.0
"""Seconds; a longer duration is recorded as this."""
_MICRO: Final = 1_000_000
_DIGITS: Final = 3


def histogram() -> HdrHistogram:
    """Create an empty histogram; all histograms created here can be added to each other."""
    return HdrHistogram(1, int(LONGEST * _MICRO), _DIGITS)


def record(target: HdrHistogram, seconds: float) -> None:
    """Record a duration in seconds; it counts as at least one microsecond and at most `LONGEST`."""
    target.record_value(max(1, int(min(seconds, LONGEST) * _MICRO)))


def written(source: HdrHistogram) -> str:
    """Encode a histogram in HdrHistogram's own format (V2, compressed, base64)."""
    text: bytes = source.encode()
    return text.decode("ascii")


def read(text: str) -> HdrHistogram:
    """Decode what `written` returned; raises ValueError for anything else."""
    target = histogram()
    try:
        target.decode_and_add(text.encode("ascii"))
    except Exception as error:
        raise ValueError("not a histogram") from error
    return target
