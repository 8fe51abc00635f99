"""A watchdog whose waiting, and whose clock, the test holds in its hands."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from ailoop_otel import names
from ailoop_otel.recording.telemetry import SECOND
from ailoop_otel.tracking.watchdog import Watchdog
from tests.recorder import Recording


class Naps:
    """Stands in for waiting: notes for how long, lets that time pass, and after `most` of them ends the thread."""

    def __init__(self, recording: Recording, most: int, meanwhile: Callable[[float], None] | None = None) -> None:
        self.seconds: list[float | None] = []
        self._recording, self._most, self._meanwhile = recording, most, meanwhile
        self.watchdog: Any = None

    def __call__(self, bell: threading.Event, seconds: float | None) -> None:
        """One nap."""
        self.seconds.append(seconds)
        if len(self.seconds) > self._most or seconds is None:
            self.watchdog._stopped = True
            return
        end = self._recording.clock.time + seconds * SECOND
        if self._meanwhile is not None:
            self._meanwhile(seconds)
        self._recording.clock.time = round(max(end, self._recording.clock.time))


def watched(recording: Recording, most: int = 0, meanwhile: Callable[[float], None] | None = None) -> tuple[Any, Naps]:
    """A watchdog whose thread runs until it has napped `most` times, and its naps."""
    naps = Naps(recording, most, meanwhile)
    naps.watchdog = unstarted(recording, naps)
    return naps.watchdog, naps


def run(watchdog: Watchdog) -> None:
    """Run its thread to the end."""
    watchdog.start()
    assert watchdog._thread is not None
    watchdog._thread.join(60)
    assert not watchdog._thread.is_alive()
    watchdog.stop()


def unstarted(recording: Recording, wait: Any = None) -> Watchdog:
    """A watchdog whose thread is not started by the first exchange: `check` is called by the test."""
    watchdog = Watchdog(recording.telemetry, wait)
    watchdog._is_new = False
    return watchdog


def phases(recording: Recording) -> list[Any]:
    """The phases of the timeouts that were told, in order."""
    spans = recording.spans(names.SPAN_AI_TIMEOUT)
    return [span.attributes[names.TIMEOUT_PHASE] for span in spans if span.attributes is not None]
