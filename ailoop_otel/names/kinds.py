"""What a name consists of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Name:
    """One name: what it is called, in which unit it counts (UCUM, empty for text), and what it means."""

    name: str
    unit: str
    description: str


@dataclass(frozen=True)
class Metric(Name):
    """A metric: `kind` is the instrument; `buckets` advise a histogram's boundaries in its own unit."""

    kind: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


@dataclass(frozen=True)
class Setting(Name):
    """An environment variable: `kind` is number, flag, choice or text; `low`/`high` bound a number."""

    default: object
    kind: str = "text"
    low: float = 0.0
    high: float = float("inf")
    choices: tuple[str, ...] = ()
