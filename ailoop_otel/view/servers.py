"""The server processes that wrote the telemetry, and which of them have ended, killed ones too.

A process has ended when it said so; or when it has none of its files open, and either wrote nothing for three intervals
of its metrics, which it writes also while nothing else happens, or another process began since. Of files that are not
our own writer's nobody can know it: there only silence counts; and where no metrics are recorded, silence says nothing.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from ailoop_otel import names
from ailoop_otel.recorded.files import is_held
from ailoop_otel.recorded.records import Batch
from ailoop_otel.units import SECOND

_MISSED: Final = 3
# OpenTelemetry's default of OTEL_METRIC_EXPORT_INTERVAL; a shorter one is no reason to be hasty.
_INTERVAL: Final = 60 * SECOND
_MOST: Final = 10_000


@dataclass(slots=True)
class _Server:
    """One process, in nanoseconds since 1970, 0 if unknown; `heard` is when its latest metrics were collected."""

    first: int
    last: int
    heard: int = 0
    interval: int = 0
    started: int = 0
    stopped: int = 0
    paths: set[str] = field(default_factory=set)


class Servers:
    """What is known of each process, by the id that its records have; bounded.

    `look` finds out which have ended; what is asked after it is answered by what it found.
    """

    def __init__(self, clock: Callable[[], int] = time.time_ns) -> None:
        self._clock = clock
        self._known: OrderedDict[str, _Server] = OrderedDict()
        self._gone: set[str] = set()
        self._longest = 0  # interval of any process; 0 where no metrics are recorded

    def note(self, batch: Batch) -> None:
        """Take over what the records of a line say of their processes."""
        for span in batch.spans:
            self._seen(span.process, span.start, span.end, batch.path)
        for event in batch.events:
            server = self._seen(event.process, event.time, event.time, batch.path)
            if event.name == names.EVENT_SERVER_START:
                server.started = max(server.started, event.time)
            elif event.name == names.EVENT_SERVER_STOP:
                server.stopped = max(server.stopped, event.time)
        for process, collected in batch.heard:
            server = self._seen(process, collected, collected, batch.path)
            if server.heard:
                server.interval = max(server.interval, collected - server.heard)
            server.heard = max(server.heard, collected)
            self._longest = max(self._longest, server.interval, _INTERVAL)

    def look(self) -> bool:
        """Find out which processes ended without a word; returns whether one has since the last look."""
        before, now = self._gone, self._clock()
        newest = max((server.first for server in self._known.values()), default=0)
        self._gone = {process for process, server in self._known.items() if self._has_left(server, newest, now)}
        return not self._gone <= before

    def ended(self, process: str, seen: int) -> int:
        """When the process ended that wrote something at `seen`: its stop, else its last sign; 0 if it may run."""
        server = self._known.get(process)
        if server is None:
            return 0
        later = max(server.stopped, server.started)
        return later if later > seen else server.last if process in self._gone else 0

    def runs(self, process: str) -> bool:
        """Whether a process may still run."""
        server = self._known.get(process)
        return server is None or not (server.stopped > server.started or process in self._gone)

    def all_ended(self) -> int:
        """When the last of all processes ended; 0 if one may run."""
        if not self._known or any(self.runs(process) for process in self._known):
            return 0
        return max(max(server.stopped, server.last) for server in self._known.values())

    def _seen(self, process: str, start: int, end: int, path: str) -> _Server:
        server = self._known.get(process)
        if server is None:
            server = self._known[process] = _Server(start, end)
            if len(self._known) > _MOST:
                self._known.popitem(last=False)
        server.first, server.last = min(server.first, start), max(server.last, end)
        if path:
            server.paths.add(path)
        return server

    def _has_left(self, server: _Server, newest: int, now: int) -> bool:
        # Until the second metrics of a process its interval is not known.
        interval = server.interval or max(self._longest, server.heard - server.first)
        overdue = self._longest > 0 and now - server.last > _MISSED * max(interval, _INTERVAL)
        if not overdue and newest <= server.last:
            return False
        held = {is_held(path) for path in server.paths}
        return True not in held and (overdue or held == {False})
