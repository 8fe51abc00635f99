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
    """A context manager that stops each `Exception` raised inside it, counts it, and logs each place of origin once.

    Cancellation, `KeyboardInterrupt` and `SystemExit` pass. With `strict` every exception passes after it was counted:
    tests use it.
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
        """Count an exception and log its place once; returns True if the caller should swallow it, else False."""
        self.errors += 1
        if self.strict:
            return False
        try:
            # Only the place and the class are logged: the text of an exception may hold what a user wrote.
            told = f"{type(fault).__name__} in {_place(fault.__traceback__)}"
            if told not in self._told and len(self._told) < _MOST_PLACES:
                self._told.add(told)
                _log.warning("ailoop-otel: a fault of its own was swallowed (%s); the server is untouched", told)
        except Exception:
            return True
        return True

    def run(self, function: Callable[..., object], *arguments: object) -> None:
        """Call a function inside the barrier and discard its result."""
        with self:
            function(*arguments)


def tried(function: Callable[..., _Result], *arguments: object) -> tuple[_Result | None, BaseException | None]:
    """Call a function of other code; returns its result, or the exception that it raised, `SystemExit` included."""
    try:
        return function(*arguments), None
    except (Exception, SystemExit) as fault:
        return None, fault


def _place(trace: TracebackType | None) -> str:
    # Without the module `traceback`, which reads the source file: that could block the event loop.
    place = "?"
    while trace is not None:
        place = f"{trace.tb_frame.f_code.co_name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place


def warn(message: str) -> None:
    """Log one line for the operator of the server."""
    _log.warning("ailoop-otel: %s", message)
