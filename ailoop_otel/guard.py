"""The one barrier between this package's own faults and the server."""

from __future__ import annotations

import logging
from collections.abc import Callable
from types import TracebackType
from typing import Final, TypeVar

_log: Final = logging.getLogger("ailoop_otel")
_MOST_PLACES: Final = 64
_Result = TypeVar("_Result")


class Guard:
    """A context manager that lets no `Exception` of ours out, counts it, and tells each place of it once.

    Cancellation, `KeyboardInterrupt` and `SystemExit` are not ours and pass. With `strict` the fault is raised
    again: tests use it.
    """

    __slots__ = ("_told", "errors", "strict")

    def __init__(self, *, strict: bool = False) -> None:
        self.strict = strict
        self.errors = 0
        self._told: set[str] = set()

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if fault is None or not isinstance(fault, Exception):
            return False
        return self.caught(fault)

    def caught(self, fault: Exception) -> bool:
        """Count a fault and log its place once; returns True when it is to be swallowed."""
        self.errors += 1
        if self.strict:
            return False
        try:
            # The place and the class only: an exception's text may hold what a user wrote.
            told = f"{type(fault).__name__} in {_place(fault.__traceback__)}"
            if told not in self._told and len(self._told) < _MOST_PLACES:
                self._told.add(told)
                _log.warning("ailoop-otel: a fault of its own was swallowed (%s); the server is untouched", told)
        except Exception:
            return True
        return True

    def run(self, function: Callable[..., object], *arguments: object) -> None:
        """Call a function inside the barrier and forget what it returns."""
        with self:
            function(*arguments)


def tried(function: Callable[..., _Result], *arguments: object) -> tuple[_Result | None, BaseException | None]:
    """Call what is somebody else's: its result, or the fault that it raised; an exit is a fault too."""
    try:
        return function(*arguments), None
    except (Exception, SystemExit) as fault:
        return None, fault


def _place(trace: TracebackType | None) -> str:
    # Not by the module `traceback`: it reads the source file, and the event loop may be waiting.
    place = "?"
    while trace is not None:
        place = f"{trace.tb_frame.f_code.co_name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place


def warn(message: str) -> None:
    """One clear line to whoever runs the server."""
    _log.warning("ailoop-otel: %s", message)
