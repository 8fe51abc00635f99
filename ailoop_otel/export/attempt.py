"""Setting something up that others wrote, with values that users wrote: it may fail, and that is one line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from ailoop_otel.guard import Guard, warn

Made = TypeVar("Made")
# What a constructor that was given a bad value, or lacks a package, is known to raise. The rest goes into the
# barrier, which says a line of its own.
_EXPECTED: Final = (
    AttributeError,
    ImportError,
    LookupError,
    OSError,
    RuntimeError,
    StopIteration,
    TypeError,
    ValueError,
)


def attempt(make: Callable[[], Made], guard: Guard, explain: Callable[[Exception | None], str]) -> Made | None:
    """What `make` returns, or None after the line that `explain` makes of the fault (None: told already)."""
    faults = guard.errors
    with guard:
        try:
            return make()
        except _EXPECTED as fault:
            warn(explain(fault))
            return None
    if guard.errors > faults:
        warn(explain(None))
    return None


def reason(fault: Exception | None) -> str:
    """A fault as part of a line."""
    return "see the line before" if fault is None else " ".join(f"{type(fault).__name__}: {fault}".split())
