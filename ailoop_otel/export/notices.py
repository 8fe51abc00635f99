"""The lines in the server's log about delivery: when it fails, when it works again, and what is left at the end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from ailoop_otel.export.ledger import Ledger
from ailoop_otel.fork import begin_anew
from ailoop_otel.guard import warn
from ailoop_otel.unpatched import time

_INTERVAL: Final = 60.0  # seconds between two lines of a kind
_NOUNS: Final = {"traces": "spans", "metrics": "data points", "logs": "log records"}


class Notices:
    """Says each thing once: at most one line a minute of a kind, and of an outage only its beginning and its end.

    `directory` is where telemetry is kept meanwhile; empty if it is not.
    """

    def __init__(
        self,
        counts: Ledger,
        directory: str,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._counts = counts
        self._directory = directory
        self._clock = clock
        self._wall = wall
        self._begin()
        begin_anew(self._begin)

    def _begin(self) -> None:
        # In a forked child: its parent's troubles are the parent's to tell.
        self._lock = threading.RLock()
        self._logged_at: dict[str, float] = {}
        self._since: float | None = None
        self._before = self._counts.totals()
        self._ended = False
        self._lost = 0
        self._reason = self._mend = ""
        self._logged = False
        self.ending = False

    def note(self, reason: str, mend: str) -> None:
        """Remember a trouble of which only `end` speaks."""
        with self._lock:
            if self._since is None:
                self._since, self._before = self._wall(), self._counts.totals()
                self._logged = self._ended = False
            self._reason, self._mend = reason, mend

    def trouble(self, reason: str, mend: str) -> None:
        """The collector takes nothing; at the end of a process `end` says so."""
        with self._lock:
            self.note(reason, mend)
            if self.ending or self._logged or not self._is_due("trouble"):
                return
            self._logged = True
        kept = f"is kept in {self._directory} and sent when that is over" if self._directory else "is dropped"
        warn(
            f"telemetry is not getting through: {reason} -- What cannot be delivered {kept}; "
            f"the server is not affected. {mend}".rstrip()
        )

    def over(self) -> None:
        """Everything has been delivered."""
        with self._lock:
            since, self._since = self._since, None
            if since is None or not self._logged:
                return
        kept, sent, lost = (now - then for now, then in zip(self._counts.totals(), self._before, strict=True))
        moment = time.strftime("%H:%M:%S", time.localtime(since))
        warn(
            f"telemetry is getting through again, as it has not since {moment} ({self._wall() - since:.0f} s): "
            f"{kept:,} records were kept, {sent:,} of them sent, {lost:,} records were lost."
        )

    def lost(self, signal: str, count: int, why: str, mend: str = "") -> None:
        """Records will never arrive."""
        if self._is_due("lost"):
            warn(f"{count:,} {_NOUNS[signal]} are lost: {why}. {mend}".rstrip())

    def refused(self, signal: str, count: int, why: str, mend: str) -> None:
        """Records stay on disk, as the collector will not take them as they are."""
        if not self._ended and self._is_due("refused"):
            warn(f"{count:,} {_NOUNS[signal]} are refused and stay in {self._directory}: {why}. {mend}".rstrip())

    def warned(self, message: str) -> None:
        """The collector has taken something, with a warning."""
        if self._is_due("warned"):
            warn(f"the collector says about what it has taken: {message}")

    def end(self) -> None:
        """The process ends: what is left on disk, and what is lost; once, unless more is lost afterwards."""
        with self._lock:
            kept, sent, lost = self._counts.totals()
            is_logged = self._ended and lost == self._lost
            if self._since is None or is_logged or (kept, lost) == (self._before[0], self._before[2]):
                return
            self._ended = True
            # A line of the last minute has the same content.
            if not self._is_due("trouble") and lost == self._before[2]:
                return
            self._logged = True
            self._lost = lost
        waiting = f"{max(0, kept - sent):,} records wait in {self._directory}" if self._directory else ""
        later = "; the next start of the server sends them, or `ailoop-otel replay`" if waiting else ""
        gone = f"{', ' if waiting else ''}{lost:,} records are lost" if lost or not waiting else ""
        warn(
            f"the server ends while telemetry is not getting through: {self._reason} -- {waiting}{gone}{later}. "
            f"{self._mend}".rstrip()
        )

    def _is_due(self, kind: str) -> bool:
        with self._lock:
            now = self._clock()
            if now - self._logged_at.get(kind, float("-inf")) < _INTERVAL:
                return False
            self._logged_at[kind] = now
            return True
