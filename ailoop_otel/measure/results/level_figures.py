"""The figures of one level of the load: a row of the load curve."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

_KINDS: Final = {"float": (int, float), "int": (int,), "bool": (bool,), "str": (str,)}


@dataclass(frozen=True, slots=True)
class LevelFigures:
    """One level, in the order in which it ran: `load` is sessions, or messages/s over all sessions.

    Rates are messages/s: `offered` is what had a planned time (NaN in a closed loop, which has none), `delivered` what
    was sent within the level's time, `goodput` what met the targets, each message for itself. `errors` are per 1,000
    messages; times are seconds, with failures as infinity. `held` is the level that confirms another. `missed` says
    which target was missed, `not_put_on` why the load generator could not put the level on; both are empty where the
    level met its targets.
    """

    load: float
    sessions: int
    seconds: float
    messages: int
    offered: float
    delivered: float
    goodput: float
    errors: float
    first_chunk_p50: float
    first_chunk_p95: float
    completion_p50: float
    completion_p95: float
    held: bool
    missed: str
    not_put_on: str

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> LevelFigures:
        """Create one from what was read from JSON; raises ValueError or KeyError for a wrong one."""
        for each in fields(cls):
            value = document[each.name]
            if not isinstance(value, _KINDS[str(each.type)]) or (each.type != "bool" and isinstance(value, bool)):
                raise ValueError(f"{each.name} of a level is {value!r:.40}")
        return cls(**{each.name: document[each.name] for each in fields(cls)})

    @property
    def state(self) -> str:
        """Whether it met its targets, in a word or two."""
        if self.not_put_on:
            return "not put on"
        if self.missed:
            return "not held" if self.held else "missed"
        return "held" if self.held else "met"
