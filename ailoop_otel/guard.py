"""The one barrier between this package's own faults and the server."""

from __future__ import annotations

import logging
import sys
import threading
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

    def caught(self, fault: BaseException) -> bool:
        """Count an exception and log its place once; returns True if the caller should swallow it, else False."""
        self.errors += 1
        if self.strict:
            return False
        try:
            # Only the place and the class are logged: the text of an exception may hold what a user wrote.
            told = f"{type(fault).__name__} in {_place(fault.__traceback__)}"
            if told not in self._told and len(self._told) < _MOST_PLACES:
                self._told.add(told)
                warn(f"a fault of its own was swallowed ({told}); the server is untouched")
        except Exception:
            return True
        return True

    def run(self, function: Callable[..., object], *arguments: object) -> None:
        """Call a function inside the barrier and discard its result; whatever it raises is a fault, as in `tried`.

        For what runs on a thread of this package: what is no `Exception` would end that, and print a text of a user's.
        """
        _, fault = tried(function, *arguments)
        if fault is not None and not self.caught(fault):
            raise fault


def tried(function: Callable[..., _Result], *arguments: object) -> tuple[_Result | None, BaseException | None]:
    """Call a function of other code; returns its result, or the exception that it raised.

    A cancellation too: a plain function is never cancelled, only what awaits. `KeyboardInterrupt` passes where it may
    be the user's own, in the main thread.
    """
    try:
        return function(*arguments), None
    except BaseException as fault:
        if isinstance(fault, KeyboardInterrupt) and threading.current_thread() is threading.main_thread():
            raise
        return None, fault


def _place(trace: TracebackType | None) -> str:
    # Without the module `traceback`, which reads the source file: that could block the event loop.
    place = "?"
    while trace is not None:
        place = f"{trace.tb_frame.f_code.co_name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place


def say(message: str) -> None:
    """Tell the operator of the server that something is as it should be; on stderr where no log shows it."""
    if _log.isEnabledFor(logging.INFO) and _log.hasHandlers():
        tried(_log.info, "ailoop-otel: %s", message)
    else:
        tried(sys.stderr.write, f"ailoop-otel: {message}\n")


def warn(message: str) -> None:
    """Log one line for the operator of the server; a handler of the server's that raises is no fault of the caller."""
    tried(_log.warning, "ailoop-otel: %s", message)
