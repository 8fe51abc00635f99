"""Keeps a collector that does not answer from filling the server's log.

The SDK says a line for every try of every signal, some with a traceback. Here its exporters have one voice
together: one line a minute, from this package, that says what to look at.
"""

from __future__ import annotations

import logging
import textwrap
import threading
import time
from collections.abc import Callable, Iterable
from typing import Final

from opentelemetry.instrumentation.utils import is_instrumentation_enabled

from ailoop_otel.guard import warn
from ailoop_otel.recording.internals import EXPORT_LOGGERS

_INTERVAL: Final = 60.0  # seconds
_LONGEST: Final = 300  # characters
# Said by a reader that outlives its provider for a moment: of no export.
_IDLE: Final = "Cannot call collect on a MetricReader"

# What the exporters speak through. AILoop sets the root logger to DEBUG, and each export would be a line there.
_CARRIERS: Final = ("urllib3.connectionpool", "urllib3.util.retry")


class Discretion(logging.Filter):
    """Stops what an HTTP library chats about exports; what it says of the server's own requests passes."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Stop what is less than a warning while the SDK exports: it marks its context so that nobody traces it."""
        return record.levelno >= logging.WARNING or is_instrumentation_enabled()


class Complaints(logging.Filter):
    """Lets one warning a minute out of all loggers it is on, in our own words; what is below a warning passes."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._turn = threading.Lock()
        self._told_at = float("-inf")
        self._loggers: set[str] = set()
        self._discretion = Discretion()

    def filter(self, record: logging.LogRecord) -> bool:
        """Stop a warning, and say it in one line if a minute has passed since the last."""
        if record.levelno < logging.WARNING:
            return True
        if str(record.msg).startswith(_IDLE):
            return False
        # Only tried: who finds it taken is one of many with the same news.
        if self._turn.acquire(blocking=False):
            try:
                self._tell(record)
            finally:
                self._turn.release()
        return False

    def install(self, modules: Iterable[str] = ()) -> None:
        """Listen to the SDK's loggers and those of the `modules` of other exporters; no handler is touched."""
        for name in (*EXPORT_LOGGERS, *modules):
            # The same filter twice on a logger is one filter.
            logging.getLogger(name).addFilter(self)
            self._loggers.add(name)
        for name in _CARRIERS:
            logging.getLogger(name).addFilter(self._discretion)

    def remove(self) -> None:
        """Let everybody speak for themselves again."""
        while self._loggers:
            logging.getLogger(self._loggers.pop()).removeFilter(self)
        for name in _CARRIERS:
            logging.getLogger(name).removeFilter(self._discretion)

    def _tell(self, record: logging.LogRecord) -> None:
        now = self._clock()
        if now - self._told_at < _INTERVAL:
            return
        self._told_at = now
        said = textwrap.shorten(record.getMessage(), _LONGEST, placeholder="…")
        warn(
            f"telemetry is not getting through: {said} -- What cannot be delivered is dropped; the server is not "
            "affected. Check that OTEL_EXPORTER_OTLP_ENDPOINT leads to a collector that runs."
        )


COMPLAINTS: Final = Complaints()
