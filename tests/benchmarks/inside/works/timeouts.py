"""Exchanges whose AI stays silent: how long after its deadline each is noticed, and when it is told."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider

from tests.benchmarks.inside import script
from tests.benchmarks.inside.contender import Contender
from tests.benchmarks.inside.works.crowd import Line, gather, part, settle

_SECOND = 1_000_000_000
_WATCHDOG = "ailoop-otel-watchdog"
_AFTER = 0.2  # seconds after the last deadline that the event loop is still blocked
_PATIENCE = 20.0  # seconds more for the last to be told


class Told(SpanProcessor):
    """When each timeout was noticed, as its span says, and when that span was there; ns since the epoch, by session."""

    def __init__(self) -> None:
        self.noticed: dict[str, int] = {}
        self.told: dict[str, int] = {}

    def on_end(self, span: ReadableSpan) -> None:
        """A span is there."""
        if span.name == "ailoop.ai_timeout":
            session = str((span.attributes or {})["session.id"])
            self.noticed[session] = span.end_time or 0
            self.told[session] = time.time_ns()


class Collections:
    """When Python's garbage collector held everything up: beginnings and ends, ns since the epoch."""

    def __init__(self) -> None:
        self.times: list[tuple[int, int]] = []
        self._began = 0

    def __call__(self, phase: str, _: Any) -> None:
        """As `gc.callbacks` are called."""
        if phase == "start":
            self._began = time.time_ns()
        else:
            self.times.append((self._began, time.time_ns()))

    @property
    def longest(self) -> float:
        """The longest of them, seconds."""
        return max((end - begin for begin, end in self.times), default=0) / _SECOND

    def between(self, since: float, until: float) -> float:
        """How long it was at it between two moments, ns."""
        return sum(max(0.0, min(end, until) - max(begin, since)) for begin, end in self.times if end > since)


class HeldClock:
    """The machine's clocks, which can be made to stand still: what begins meanwhile begins at once."""

    def __init__(self) -> None:
        self._held: tuple[int, int] | None = None

    def hold(self) -> None:
        """From now on it is now."""
        self._held = (time.perf_counter_ns(), time.time_ns())

    def release(self) -> None:
        """Time goes on where it would be."""
        self._held = None

    def now(self) -> int:
        """Monotonic, ns."""
        return self._held[0] if self._held else time.perf_counter_ns()

    def wall(self) -> int:
        """Since the epoch, ns."""
        return self._held[1] if self._held else time.time_ns()


def run(contender: Contender, how: str, exchanges: int, deadline: float, opening: float = 0.0) -> dict[str, Any]:
    """Open exchanges and let nobody answer: `free`, `asleep`, `busy`, `at once` or `rest`.

    They are opened over `opening` seconds; the event loop is free, or blocked by a sleep or by Python code while the
    deadlines pass. Delays are in seconds after the deadline, which counts from the message's arrival.
    """
    return asyncio.run(_run(contender, how, exchanges, deadline, opening))


async def _run(contender: Contender, how: str, exchanges: int, deadline: float, opening: float) -> dict[str, Any]:
    await part(await gather(contender, 10))
    told, clock, collections = Told(), HeldClock(), Collections()
    # Not as somebody else's, for whom the spans would be made in another way.
    # Beside the package's own processors, so that it goes on as without.
    provider: Any = trace.get_tracer_provider()
    TracerProvider.add_span_processor(provider, told)
    provider.processors = (*provider.processors, told)
    _runtime().telemetry.clock = clock
    lines = await gather(contender, exchanges)
    contender.spans()
    contender.take()
    try:
        if how == "rest":
            return await _rest(lines)
        if how == "at once":
            clock.hold()
        opened = await _open(lines, opening)
        # What the opening left behind: with as many exchanges for a while already, it would have been collected.
        gc.collect()
        gc.callbacks.append(collections)
        if how == "at once":
            opened = dict.fromkeys(opened, clock.wall())
            clock.release()
            # It went to sleep by a clock that stood still: it is to look at the time once more.
            _runtime()._wire.watchdog._bell.set()
        await _let_pass(how, max(opened.values()) / _SECOND + deadline + _AFTER)
        await _all_told(told, exchanges)
        return _delays(contender, told, opened, deadline, collections)
    finally:
        if collections in gc.callbacks:
            gc.callbacks.remove(collections)
        await part(lines)


async def _open(lines: Sequence[Line], seconds: float) -> dict[str, int]:
    began = time.perf_counter()
    for number, line in enumerate(lines):
        wait = began + seconds * number / len(lines) - time.perf_counter()
        if wait > 0.002:
            await asyncio.sleep(wait)
        line.say((script.message(1, (), line.session)[0], ()))
        await asyncio.sleep(0)
    await settle()
    return {line.session: line.heard for line in lines}


async def _let_pass(how: str, until: float) -> None:
    left = until - time.time()
    if how == "asleep":
        time.sleep(left)
    elif how == "busy":
        count = 0
        while time.time() < until:
            count += 1
    else:
        await asyncio.sleep(left)


async def _all_told(told: Told, exchanges: int) -> None:
    until = time.monotonic() + _PATIENCE
    while len(told.told) < exchanges and time.monotonic() < until:
        await asyncio.sleep(0.01)


def _delays(
    contender: Contender, told: Told, opened: dict[str, int], deadline: float, collections: Collections
) -> dict[str, Any]:
    due = {session: at + deadline * _SECOND for session, at in opened.items()}
    contender.spans()
    held_up = {session: collections.between(due[session], noticed) for session, noticed in told.noticed.items()}
    return {
        "collected": collections.longest,
        "switch": sys.getswitchinterval(),
        "beside": [(told.noticed[session] - due[session] - held_up[session]) / _SECOND for session in told.noticed],
        "noticed": [(told.noticed[session] - due[session]) / _SECOND for session in told.noticed],
        "told": [(told.told[session] - due[session]) / _SECOND for session in told.told],
        "spans": contender.take().spans["ailoop.ai_timeout"],
    }


async def _rest(lines: Sequence[Line]) -> dict[str, Any]:
    await _open(lines, 0.0)
    (watchdog,) = (thread for thread in threading.enumerate() if thread.name == _WATCHDOG)
    clock = time.pthread_getcpuclockid(watchdog.ident or 0)
    await asyncio.sleep(1.0)
    shares = []
    for _ in range(10):
        cpu, wall = time.clock_gettime(clock), time.perf_counter()
        await asyncio.sleep(0.5)
        shares.append((time.clock_gettime(clock) - cpu) / (time.perf_counter() - wall))
    return {"shares": shares, "alive": watchdog.is_alive()}


def _runtime() -> Any:
    from ailoop_otel.instrumentor import RUNTIME

    return RUNTIME
