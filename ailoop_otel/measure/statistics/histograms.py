"""Histograms of what is too frequent for a row each: microseconds, three significant digits, added up without loss."""

from __future__ import annotations

from typing import Final

from hdrh.histogram import HdrHistogram

LONGEST: Final = 3600.0
"""Seconds; what took longer counts as this."""
_MICRO: Final = 1_000_000
_DIGITS: Final = 3


def histogram() -> HdrHistogram:
    """Make an empty one; all that are made here can be added to each other."""
    return HdrHistogram(1, int(LONGEST * _MICRO), _DIGITS)


def record(target: HdrHistogram, seconds: float) -> None:
    """Count one duration in seconds, at least a microsecond."""
    target.record_value(max(1, int(min(seconds, LONGEST) * _MICRO)))


def written(source: HdrHistogram) -> str:
    """Write one in HdrHistogram's own format (V2, compressed, base64)."""
    text: bytes = source.encode()
    return text.decode("ascii")


def read(text: str) -> HdrHistogram:
    """Read what `written` wrote; ValueError where it is something else."""
    target = histogram()
    try:
        target.decode_and_add(text.encode("ascii"))
    except Exception as error:
        raise ValueError("not a histogram") from error
    return target
