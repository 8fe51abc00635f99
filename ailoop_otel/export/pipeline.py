"""The way out for telemetry: made when the application starts, flushed and shut down in bounded time."""

from __future__ import annotations

import atexit
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from opentelemetry.sdk.environment_variables import OTEL_CONFIG_FILE, OTEL_SDK_DISABLED
from opentelemetry.sdk.resources import Resource

from ailoop_otel import names
from ailoop_otel.export import choice, exporters, providers
from ailoop_otel.export.choice import SIGNALS
from ailoop_otel.export.delivery import Places
from ailoop_otel.export.exporters import Shared, attempt, reason
from ailoop_otel.export.ledger import UNDELIVERED
from ailoop_otel.export.notices import EXPORT_WARNINGS
from ailoop_otel.fork import begin_anew
from ailoop_otel.guard import Guard
from ailoop_otel.recorded.otlp_json import LOGS, METRICS, TRACES, Signal
from ailoop_otel.recording.call_thread import CallThread
from ailoop_otel.recording.internals import forget_measurements
from ailoop_otel.recording.spans import deferred_of
from ailoop_otel.settings import Settings, environment, is_true
from ailoop_otel.unpatched import os, time

TIMEOUT: Final = 3.0  # seconds
# What is left for the shutdown when a flush has used up the timeout already.
_LAST_MOMENT: Final = 0.1  # seconds
# Parts of the time: for metrics, after the rest; and for writing to disk what was not delivered before.
_SHARE_OF_METRICS: Final = 0.4
_SHARE_OF_DISK: Final = 0.3


@dataclass(frozen=True)
class Part:
    """One signal's provider, whose it is, where it sends to, and the queues of its exporters."""

    signal: Signal
    provider: Any
    is_ours: bool
    where: str
    queues: Sequence[Places] = ()


class Pipeline:
    """The three providers, and how to empty them in time.

    Providers that were set before are used and flushed; those that we made are ours to shut down as well.
    """

    def __init__(self, parts: Sequence[Part], shared: Shared) -> None:
        self._ledger, self._spool = shared.ledger, shared.spool
        by_signal = {part.signal: part for part in parts}
        self.tracer_provider = by_signal[TRACES].provider
        self.meter_provider = by_signal[METRICS].provider
        self.logger_provider = by_signal[LOGS].provider
        self._parts = parts
        self._ended = False
        self._threads = [
            (part, CallThread(f"ailoop-otel-flush-{part.signal.name}", shared.guard))
            for part in parts
            if hasattr(part.provider, "force_flush")
        ]
        begin_anew(self._begin)
        if any(part.is_ours for part in parts):
            # Under uvicorn this runs after SIGINT and a normal end, but not after SIGTERM: the owner of the pipeline
            # flushes it at the end of the ASGI lifespan.
            atexit.register(self.shutdown)

    @classmethod
    def start(cls, settings: Settings, guard: Guard) -> Pipeline:
        """Set up what the environment asks for; where that fails, one clear line and a provider without exporter."""
        shared = Shared(settings, guard)
        return cls(_parts(shared), shared)

    @property
    def description(self) -> str:
        """One line: where telemetry goes."""
        places: dict[str, list[str]] = {}
        for part in self._parts:
            places.setdefault(part.where, []).append(part.signal.name)
        return "; ".join(f"{', '.join(signals)} → {where}" for where, signals in places.items())

    def dropped(self) -> int:
        """Spans that never got across: no place in the queue, refused by the exporter, or too late.

        Only of providers that we made; exact whenever no span is being ended or exported at that moment.
        """
        return sum(count for key, count in self.losses().items() if key[0] == TRACES.name)

    def losses(self) -> Counter[tuple[str, ...]]:
        """What was lost: spans, data points or log records, by the name of their signal and the reason."""
        lost = Counter(self._ledger.lost)
        for part in self._parts:
            for places in part.queues:
                lost += Counter({(places.signal.name, UNDELIVERED): places.given_up})
        return lost

    def kept(self) -> Counter[tuple[str, ...]]:
        """What was kept on disk as it could not be delivered, by the name of its signal."""
        return self._ledger.kept.copy()

    def sent(self) -> Counter[tuple[str, ...]]:
        """What of it has been sent since; also what an earlier process has kept."""
        return self._ledger.sent.copy()

    def flush(self, timeout: float = TIMEOUT) -> bool:
        """Export all that waits, within `timeout` seconds; returns whether it is done. Not on an event loop.

        What cannot be delivered in that time is kept on disk, or counted as lost.
        """
        if self._ended:
            return True
        deadline = time.monotonic() + timeout
        self._settle(timeout / 2)
        return self._empty(deadline, lambda part: part.provider.force_flush)

    def shutdown(self, timeout: float = TIMEOUT) -> bool:
        """Flush, and shut down what is ours, within `timeout` seconds; returns whether it is done.

        Where an earlier flush has not returned yet, its time is over: then only a moment is left.
        """
        if self._ended:
            return True
        self._ended = True
        atexit.unregister(self.shutdown)
        self._settle(timeout / 2)
        for part in self._parts:
            for places in part.queues:
                places.close()
        remaining = min(timeout, _LAST_MOMENT) if any(thread.busy for _, thread in self._threads) else timeout
        done = self._empty(
            time.monotonic() + remaining,
            lambda part: part.provider.shutdown if part.is_ours else part.provider.force_flush,
        )
        for _, thread in self._threads:
            thread.stop()
        if self._spool is not None:
            self._spool.stop()
        ours = [part.provider for part in self._parts if part.is_ours]
        for provider in ours:
            providers.retire(provider)
        if ours and done:
            # Otherwise an exporter is still working, and may still log.
            EXPORT_WARNINGS.remove()
        return done

    def _begin(self) -> None:
        # In a forked child. What others have measured with a provider of theirs is theirs to forget.
        for part in self._parts:
            if part.signal is METRICS:
                forget_measurements(part.provider, None if part.is_ours else names.SCOPE)
            if part.is_ours:
                providers.begin_anew(part.provider)

    def _empty(self, deadline: float, call: Callable[[Part], Callable[[], object]]) -> bool:
        """Have spans and log records exported, then the metrics, which tell what became of them."""
        lost = self.losses().total()
        if self._spool is not None:
            self._spool.ending()
        done = []
        for is_last in (False, True):
            # Those that are still flushing come last: what they began with may not be all that waits by now, but
            # behind one that hangs a second call is of no use.
            threads = [(part, thread) for part, thread in self._threads if (part.signal is METRICS) is is_last]
            half = deadline - (0.0 if is_last else (deadline - time.monotonic()) * _SHARE_OF_METRICS)
            for part, thread in sorted(threads, key=lambda pair: pair[1].busy):
                if thread.wait(half - time.monotonic()) or self._ended:
                    thread.submit(call(part))
            done.append(self._wait([thread for _, thread in threads], half))
        if self._spool is not None:
            self._spool.resume()
            self._spool.ended()
        return all(done) and (self._spool is None or self.losses().total() <= lost)

    def _settle(self, timeout: float) -> None:
        # Deferred work makes spans, log records and measurements: it is done before these are flushed. Not by the
        # caller, whom somebody's log processor could block for ever.
        for part, thread in self._threads:
            deferred = deferred_of(part.provider)
            # Behind a flush that hangs it would wait as well; the queue's own thread goes on with it.
            if deferred is not None and not thread.busy:
                thread.submit(deferred.settle)
                thread.wait(timeout)

    def _wait(self, threads: Sequence[CallThread], deadline: float) -> bool:
        """Wait until the deadline at most; what is on its way before it, and not arrived, goes to disk."""
        spool = self._spool
        if spool is None:
            # All signals run at once: one whose collector hangs does not use up the others' time.
            return all([thread.wait(deadline - time.monotonic()) for thread in threads])
        patience = deadline - (deadline - time.monotonic()) * _SHARE_OF_DISK
        if not all([thread.wait(patience - time.monotonic()) for thread in threads]) or not spool.settle(
            patience - time.monotonic()
        ):
            spool.hurry()
        return all([thread.wait(deadline - time.monotonic()) for thread in threads])


def _parts(shared: Shared) -> list[Part]:
    if is_true(environment(OTEL_SDK_DISABLED)):
        return [_nowhere(signal, f"as {OTEL_SDK_DISABLED} is set") for signal in SIGNALS]
    found = {signal: _existing(signal) for signal in SIGNALS}
    path = environment(OTEL_CONFIG_FILE)
    if path and not any(found.values()):
        EXPORT_WARNINGS.install()
        if providers.configure(path):
            return [_declared(signal, path) for signal in SIGNALS]
        found = {signal: _existing(signal) for signal in SIGNALS}
    parts = [part for part in found.values() if part is not None]
    if len(parts) < len(found):
        EXPORT_WARNINGS.install()
        resource = providers.resource()
        parts += [_make(signal, resource, shared) for signal, part in found.items() if part is None]
    return parts


def _nowhere(signal: Signal, why: str) -> Part:
    return Part(signal, providers.no_op(signal), False, f"nowhere, {why}")


def _existing(signal: Signal) -> Part | None:
    part = attempt(
        lambda: Part(signal, providers.existing(signal), False, "the provider that was there already"),
        lambda fault: f"{signal.name} are not recorded: {signal.provider} cannot be used ({reason(fault)}). Unset it.",
    )
    if part is None:
        return _nowhere(signal, f"as {signal.provider} cannot be used")
    return None if part.provider is None else part


def _declared(signal: Signal, path: str) -> Part:
    part = _existing(signal)
    if part is None:
        return _nowhere(signal, f"as {path} says")
    return Part(signal, part.provider, True, f"where {path} says")


def _make(signal: Signal, resource: Resource, shared: Shared) -> Part:
    working = {}
    for name in choice.exporters(signal):
        exporter = exporters.make(signal, name, shared)
        if exporter is not None:
            working[name] = exporter
    EXPORT_WARNINGS.install(type(exporter).__module__ for exporter in working.values())
    made = attempt(
        lambda: providers.make(signal, list(working.values()), resource, shared),
        lambda fault: f"{signal.name} are not recorded ({reason(fault)}). To mend it, correct the OTEL_* variables.",
    )
    if made is None:
        return _nowhere(signal, "as OTEL_* cannot be used")
    provider, queues = made
    providers.publish(signal, provider)
    where = " and ".join(_where(signal, name, shared.settings) for name in working) or "nowhere"
    return Part(signal, provider, True, where, queues)


def _where(signal: Signal, name: str, settings: Settings) -> str:
    if name == choice.FILES:
        return f"OTLP JSON files in {os.path.abspath(settings.directory)}"
    return choice.endpoint(signal) if name == choice.OTLP else name
