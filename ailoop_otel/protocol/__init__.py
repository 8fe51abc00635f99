"""What a frame of AILoop means: pure, one file per generation."""

from __future__ import annotations

from typing import Final

from ailoop_otel.protocol.delegates import Delegates
from ailoop_otel.protocol.frame import Answer, Dialect
from ailoop_otel.protocol.stateless import Stateless

# A third generation is one more file and one more entry here.
DIALECTS: Final[tuple[Dialect, ...]] = (Stateless(), Delegates())
METHODS: Final = frozenset[str]().union(*(dialect.methods for dialect in DIALECTS))


def recognise(text: str) -> Dialect | None:
    """The dialect that alone sends such a frame, if there is one."""
    return next((dialect for dialect in DIALECTS if dialect.recognises(text)), None)


__all__ = ["DIALECTS", "METHODS", "Answer", "Dialect", "recognise"]
