"""Trouble with the telemetry directory: each kind is told once, with its mend, until it is over."""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Callable
from typing import Final

from ailoop_otel import names
from ailoop_otel.guard import warn

_OFTEN_ENOUGH: Final = 60.0  # seconds
_PATIENCE: Final = 1.0  # seconds
_FULL: Final = frozenset({errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)})
_WRONG: Final = frozenset({errno.ENOTDIR, errno.EEXIST, errno.ENOENT, errno.ELOOP, errno.ENAMETOOLONG})
_DIRECTORY: Final = names.SETTING_DIRECTORY.name
_MENDS: Final = {
    "full": f"free some space there, lower {names.SETTING_MAX_TOTAL.name}, or set {_DIRECTORY} to another disk",
    "wrong": f"set {_DIRECTORY} to a directory",
    "refused": f"make it writable for this process, or set {_DIRECTORY} to a directory that is",
}


class Troubles:
    """What has been told; one for all signals, as they mostly have the same trouble at the same time."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._told: dict[tuple[str, str], float] = {}
        self._over: set[str] = set()

    def tell(self, directory: str, fault: OSError) -> None:
        """Say one line about a fault, unless it has been said and is not over."""
        kind = _kind(fault)
        if self._is_news(directory, kind):
            reason = fault.strerror or type(fault).__name__
            warn(
                f"telemetry cannot be written to {directory} ({reason}). It is dropped until that works again; "
                f"the server is not affected. To mend it, {_MENDS[kind]}."
            )

    def over(self, directory: str) -> None:
        """Note that the directory can be written again: the next trouble is news, but not in the same minute."""
        if self._told:
            self._over.add(directory)

    def _is_news(self, directory: str, kind: str) -> bool:
        # With a timeout: in a forked child the lock may be held by a thread that did not come along.
        if not self._lock.acquire(timeout=_PATIENCE):
            return False
        try:
            now = self._clock()
            told_at = self._told.get((directory, kind))
            if told_at is not None and (directory not in self._over or now - told_at < _OFTEN_ENOUGH):
                return False
            self._told[directory, kind] = now
            self._over.discard(directory)
            return True
        finally:
            self._lock.release()


def _kind(fault: OSError) -> str:
    if fault.errno in _FULL:
        return "full"
    return "wrong" if fault.errno in _WRONG else "refused"
