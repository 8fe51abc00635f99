"""Keeps a collector that does not answer from filling the server's log.

The SDK logs a line for every attempt of every signal, some with a traceback. Here all of them together become one line
a minute, from this package, with what to check.
"""

from __future__ import annotations

import logging
import textwrap
import threading
from collections.abc import Callable, Iterable
from typing import Final

from opentelemetry.instrumentation.utils import is_instrumentation_enabled

from ailoop_otel.fork import begin_anew
from ailoop_otel.guard import warn
from ailoop_otel.recording.internals import EXPORT_LOGGERS
from ailoop_otel.unpatched import time

_INTERVAL: Final = 60.0  # seconds
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
    """Lets one warning a minute out of all loggers it is on, in our own words; what is below a warning passes."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._loggers: set[str] = set()
        self._begin()
        begin_anew(self._begin)

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._logged_at = float("-inf")

    def filter(self, record: logging.LogRecord) -> bool:
        """Stop a warning, and log one line instead if a minute has passed since the last."""
        if record.levelno < logging.WARNING:
            return True
        if str(record.msg).startswith(_IDLE):
            return False
        # Not waited for: another thread is logging the same at this moment.
        if self._lock.acquire(blocking=False):
            try:
                self._log(record)
            finally:
                self._lock.release()
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

    def _log(self, record: logging.LogRecord) -> None:
        now = self._clock()
        if now - self._logged_at < _INTERVAL:
            return
        self._logged_at = now
        text = textwrap.shorten(record.getMessage(), _LONGEST, placeholder="…")
        warn(
            f"telemetry is not getting through: {text} -- What cannot be delivered is dropped; the server is not "
            "affected. Check that OTEL_EXPORTER_OTLP_ENDPOINT leads to a collector that runs."
        )


EXPORT_WARNINGS: Final = ExportWarnings()
