"""A target: what input it takes, and what holds whatever the input is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hypothesis.strategies import SearchStrategy


@dataclass(frozen=True)
class Target:
    """`check` raises for an example that does harm.

    `examples` makes examples with structure, so many of them in a full run: `random`. `from_bytes` makes one of any
    bytes for the coverage-guided engine, which begins with `seeds` and tries so many in a full run: `guided`.
    """

    name: str
    reads: str
    examples: SearchStrategy[Any]
    check: Callable[[Any], None]
    random: int
    guided: int = 0
    from_bytes: Callable[[bytes], Any] = bytes
    seeds: tuple[bytes, ...] = ()
