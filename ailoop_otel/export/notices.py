"""The lines in the server's log about telemetry that does not get out: at most one a minute of a kind, with a mend."""

from __future__ import annotations

import errno
import logging
import textwrap
import threading
from collections.abc import Callable, Hashable, Iterable
from typing import Final

from opentelemetry.instrumentation.utils import is_instrumentation_enabled

from ailoop_otel import names
from ailoop_otel.export.ledger import Ledger
from ailoop_otel.fork import begin
from ailoop_otel.guard import warn
from ailoop_otel.recording.internals import EXPORT_LOGGERS
from ailoop_otel.unpatched import time

_INTERVAL: Final = 60.0  # seconds between two lines of a kind


class OncePerMinute:
    """Whether a line of a kind may be logged: not in the minute after another one; a forked child begins anew."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        begin(self.begin)

    def begin(self) -> None:
        """Forget what was logged."""
        self._lock = threading.RLock()
        self._logged_at: dict[Hashable, float] = {}

    def is_due(self, kind: Hashable) -> bool:
        """Whether a minute has passed since this was last true of the kind."""
        with self._lock:
            now = self._clock()
            if now - self._logged_at.get(kind, float("-inf")) < _INTERVAL:
                return False
            self._logged_at[kind] = now
            return True


# --- A directory that cannot be written ----------------------------------------------------------------------------
_FULL: Final = frozenset({errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)})
_WRONG: Final = frozenset({errno.ENOTDIR, errno.EEXIST, errno.ENOENT, errno.ELOOP, errno.ENAMETOOLONG})
_DIRECTORY: Final = names.SETTING_DIRECTORY.name
_FREE: Final = f"free some space there, lower {names.SETTING_MAX_TOTAL.name}, or set {_DIRECTORY} to another disk"
_SET: Final = f"set {_DIRECTORY} to a directory"
_ALLOW: Final = f"make it writable for this process, or set {_DIRECTORY} to a directory that is"


class DirectoryWarnings:
    """One line for each kind of fault of a directory, until the fault is over.

    All signals share one, as they mostly have the same fault at the same time.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._minute = OncePerMinute(clock)
        self._told: set[tuple[str, str]] = set()

    def warn(self, directory: str, fault: OSError) -> None:
        """Log one line about a fault, unless it has been logged and is not over."""
        mend = _FREE if fault.errno in _FULL else _SET if fault.errno in _WRONG else _ALLOW
        kind = (directory, mend)
        if kind in self._told or not self._minute.is_due(kind):
            return
        self._told.add(kind)
        warn(
            f"telemetry cannot be written to {directory} ({fault.strerror or type(fault).__name__}). It is dropped "
            f"until that works again; the server is not affected. To mend it, {mend}."
        )

    def over(self, directory: str) -> None:
        """Note that the directory can be written again: the next fault is logged, but not in the same minute."""
        if self._told:
            self._told = {kind for kind in self._told if kind[0] != directory}


DIRECTORY_WARNINGS: Final = DirectoryWarnings()

# --- What the SDK's exporters log ----------------------------------------------------------------------------------
_LONGEST: Final = 300  # characters
# Logged by a reader that outlives its provider for a moment: it concerns no export.
_IDLE: Final = "Cannot call collect on a MetricReader"
# What the exporters send with. AILoop sets the root logger to DEBUG, and each export would be a line there.
_TRANSPORTS: Final = ("urllib3.connectionpool", "urllib3.util.retry")


def concerns_no_export(record: logging.LogRecord) -> bool:
    """Whether what an HTTP library logs passes: less than a warning does not while the SDK exports.

    The SDK marks its context then, so that nobody traces its requests.
    """
    return record.levelno >= logging.WARNING or is_instrumentation_enabled()


class ExportWarnings(logging.Filter):
    """Lets one warning a minute out of all loggers it is on, in our own words; what is below a warning passes.

    The SDK logs a line for every attempt of every signal, some with a traceback: a collector that does not answer would
    fill the server's log.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self.minute = OncePerMinute(clock)
        self._loggers: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        """Stop a warning, and log one line instead if a minute has passed since the last."""
        if record.levelno < logging.WARNING:
            return True
        if not str(record.msg).startswith(_IDLE) and self.minute.is_due("export"):
            text = textwrap.shorten(record.getMessage(), _LONGEST, placeholder="…")
            warn(
                f"telemetry is not getting through: {text} -- What cannot be delivered is dropped; the server is not "
                "affected. Check that OTEL_EXPORTER_OTLP_ENDPOINT leads to a collector that runs."
            )
        return False

    def install(self, modules: Iterable[str] = ()) -> None:
        """Filter the SDK's loggers and those of the `modules` of other exporters; no handler is touched."""
        for name in (*EXPORT_LOGGERS, *modules):
            # The same filter twice on a logger is one filter.
            logging.getLogger(name).addFilter(self)
            self._loggers.add(name)
        for name in _TRANSPORTS:
            logging.getLogger(name).addFilter(concerns_no_export)

    def remove(self) -> None:
        """Take the filters off all loggers."""
        while self._loggers:
            logging.getLogger(self._loggers.pop()).removeFilter(self)
        for name in _TRANSPORTS:
            logging.getLogger(name).removeFilter(concerns_no_export)


EXPORT_WARNINGS: Final = ExportWarnings()

# --- What our own exporters deliver --------------------------------------------------------------------------------
_NOUNS: Final = {"traces": "spans", "metrics": "data points", "logs": "log records"}


class Notices:
    """Says when delivery fails, when it works again, and what is left at the end; of an outage nothing in between.

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
        self._minute = OncePerMinute(clock)
        self._wall = wall
        begin(self._begin)

    def _begin(self) -> None:
        # In a forked child: its parent's troubles are the parent's to tell.
        self._lock = threading.RLock()
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
            if self.ending or self._logged or not self._minute.is_due("trouble"):
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
        if self._minute.is_due("lost"):
            warn(f"{count:,} {_NOUNS[signal]} are lost: {why}. {mend}".rstrip())

    def refused(self, signal: str, count: int, why: str, mend: str) -> None:
        """Records stay on disk, as the collector will not take them as they are."""
        if not self._ended and self._minute.is_due("refused"):
            warn(f"{count:,} {_NOUNS[signal]} are refused and stay in {self._directory}: {why}. {mend}".rstrip())

    def warned(self, message: str) -> None:
        """The collector has taken something, with a warning."""
        if self._minute.is_due("warned"):
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
            if not self._minute.is_due("trouble") and lost == self._before[2]:
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
