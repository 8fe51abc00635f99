"""The OTLP exporters: each batch is delivered, or kept on disk until it can be, or counted as lost.

They are this package's own, as the official ones take a redirect or a web page for success, ignore partial successes
and drop what is too large; the gRPC connection is the official one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final

from opentelemetry.instrumentation.utils import suppress_instrumentation

from ailoop_otel.export.encoders import message_encoder
from ailoop_otel.export.ledger import UNDELIVERED, UNENCODABLE
from ailoop_otel.export.sinks import LogSink, MetricSink, SpanSink
from ailoop_otel.export.spool import Spool
from ailoop_otel.fork import begin
from ailoop_otel.guard import Guard
from ailoop_otel.recorded.otlp_json import LOGS, METRICS, TRACES, Signal
from ailoop_otel.recording.call_thread import CallThread
from ailoop_otel.replay.delivery import Answer, Delivery, ReplayStopped, Transport
from ailoop_otel.unpatched import time

# How long an exporter waits for its batch before it takes the next one, which then goes to disk: the SDK's queue must
# not fill up behind a collector that hangs. Seconds.
_WAIT: Final = 1.0
_LOOK: Final = 0.05  # seconds between two looks at whether the process ends


class Courier:
    """Delivers the batches of one signal, one at a time, on a thread of its own that the end of a process can leave."""

    def __init__(
        self,
        signal: Signal,
        encode: Callable[[Any], bytes],
        transport: Transport,
        timeout: float,
        spool: Spool,
        guard: Guard,
    ) -> None:
        self._signal = signal
        self._encode = encode
        self._transport = transport
        self._patience = timeout
        self._spool = spool
        self._thread = CallThread(f"ailoop-otel-{signal.name}", guard)
        self._on_its_way: tuple[Any, int] | None
        begin(self._begin)
        spool.add(signal, transport, self)

    def take(self, batch: Any, count: int) -> bool:
        """Deliver a batch of `count` records, keep it, or count it as lost; returns when that is known or begun."""
        if count:
            self._take_charge(batch, count)
        return True

    def _take_charge(self, batch: Any, count: int) -> None:
        if (self._spool.is_away(self._signal) or self._thread.busy) and self._spool.keep(self._signal, batch, count):
            return
        if self._spool.hurried or not self._wait(self._patience):
            self._keep_or_lose(batch, count)
            return
        with self._lock:
            self._on_its_way = (batch, count)
        self._thread.submit(lambda: self._deliver(batch, count))
        self._wait(_WAIT if self._spool.keeps else float("inf"))

    def settle(self, timeout: float) -> bool:
        """Wait until no batch is on its way, or the process is in a hurry; returns whether there is none."""
        return self._wait(timeout) or self._on_its_way is None

    def take_back(self) -> None:
        """Keep, or count as lost, the batch that is on its way: it may arrive all the same."""
        taken = self._take()
        if taken is not None:
            self._spool.failed(self._signal, f"{self._transport.base} does not answer in time", _SLOW)
            self._keep_or_lose(*taken)

    def stop(self) -> None:
        """End the thread after what it does."""
        self.take_back()
        self._thread.stop()
        self._transport.close()

    def _begin(self) -> None:
        # In a forked child the batch that is on its way is the parent's.
        self._lock = threading.Lock()
        self._on_its_way = None

    def _wait(self, timeout: float) -> bool:
        """Wait until the thread is free, but no longer than a batch is on its way; returns whether it is free."""
        deadline = time.monotonic() + timeout
        while not self._thread.wait(max(0.0, min(_LOOK, deadline - time.monotonic()))):
            if self._spool.hurried or self._on_its_way is None or time.monotonic() >= deadline:
                return False
        return True

    def _take(self) -> tuple[Any, int] | None:
        with self._lock:
            taken, self._on_its_way = self._on_its_way, None
        return taken

    def _deliver(self, batch: Any, count: int) -> None:
        try:
            content = self._encode(batch)
        except Exception:  # noqa: BLE001 - whatever a record may hold that an encoder does not know
            if self._take():
                self._spool.lose(self._signal, UNENCODABLE, count, "they cannot be encoded")
            return
        # With nowhere to keep what fails, there is only trying again.
        for patience in (0.0, self._patience) if self._spool.keeps else (self._patience,):
            answer, reason, mend = self._attempt(content, patience)
            # Else the end of the process has taken it back.
            if not self._take():
                return
            if answer is not None and answer.accepted:
                self._spool.delivered(self._signal, count, answer)
                return
            by_halves = answer is not None and (answer.divisible or answer.final)
            if by_halves:
                self._spool.suspect(reason, mend)
            else:
                self._spool.failed(self._signal, reason, mend, answers=answer is not None)
            if self._spool.keep(self._signal, batch, count):
                return
            if by_halves:
                self._spool.divide(self._signal, batch, count)
                return
            with self._lock:
                self._on_its_way = (batch, count)
        if self._take():
            self._spool.ledger.lose(self._signal.name, UNDELIVERED, count)

    def _attempt(self, content: bytes, patience: float) -> tuple[Answer | None, str, str]:
        delivery = Delivery(self._transport, patience, sleep=self._spool.sleep)
        try:
            # In this thread's context: its requests are nobody's spans.
            with suppress_instrumentation():
                answer = delivery.deliver(self._signal, content)
        except ReplayStopped as stopped:
            return None, str(stopped), stopped.mend
        return answer, f"{self._transport.base}: {answer.message}", answer.mend

    def _keep_or_lose(self, batch: Any, count: int) -> None:
        if not self._spool.keep(self._signal, batch, count):
            self._spool.ledger.lose(self._signal.name, UNDELIVERED, count)


_SLOW: Final = "Look whether the collector is stuck, or a firewall swallows the connection."


_SINKS: Final = {TRACES: SpanSink, METRICS: MetricSink, LOGS: LogSink}


def make(signal: Signal, transport: Transport, timeout: float, spool: Spool, guard: Guard) -> Any:
    """The exporter of a signal over a transport; `timeout` in seconds is how long an undeliverable batch is tried.

    It takes charge of each batch: SUCCESS whatever becomes of it, as the ledger counts that.
    """
    encode = message_encoder(signal, spool.settings, guard)
    return _SINKS[signal](Courier(signal, encode, transport, timeout, spool, guard))
