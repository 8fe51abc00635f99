"""The classes of names: a name, a metric, a setting."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Name:
    """A name of a span, attribute or event, with its unit (UCUM, empty for text) and its description."""

    name: str
    unit: str
    description: str


@dataclass(frozen=True)
class Metric(Name):
    """A metric: `kind` is its instrument, `labels` are its attributes, `buckets` a histogram's bounds in its unit."""

    kind: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


@dataclass(frozen=True)
class Setting(Name):
    """An environment variable: `kind` is number, flag, choice, path or text; `low`/`high` bound a number."""

    default: object
    kind: str = "text"
    low: float = 0.0
    high: float = float("inf")
    choices: tuple[str, ...] = ()
