"""What cannot be delivered: kept as OTLP JSON Lines in the telemetry directory, and sent when the collector is back.

Each line is noted when the collector has acknowledged it, and each file deleted when all of its lines are: a process
that is killed between the two sends a batch twice and loses none. Another process, or `ailoop-otel replay`, may send
the same files; only one of them does at a time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.instrumentation.utils import suppress_instrumentation

from ailoop_otel.export import ledger, retention
from ailoop_otel.export.choice import SIGNALS
from ailoop_otel.export.encoders import Encode, line_encoder
from ailoop_otel.export.ledger import Ledger
from ailoop_otel.export.notices import Notices
from ailoop_otel.export.retention import TelemetryFile
from ailoop_otel.export.rotation import Bounds, RotatingFile
from ailoop_otel.fork import begin
from ailoop_otel.guard import Guard, tried
from ailoop_otel.recorded.otlp_json import UNDELIVERED, Signal
from ailoop_otel.replay import protobuf
from ailoop_otel.replay.acknowledged import unacknowledged
from ailoop_otel.replay.delivery import Answer, Delivery, Transport
from ailoop_otel.replay.export_request import ExportRequest, named, parse
from ailoop_otel.replay.replayer import Replayer
from ailoop_otel.settings import Settings, UsageError
from ailoop_otel.unpatched import os, time

if TYPE_CHECKING:
    from ailoop_otel.export.otlp import Courier

_FIRST_PAUSE: Final = 1.0  # seconds before the first try, doubled with each one that fails
_LONGEST_PAUSE: Final = 15.0
# Between two lines there is a pause as long as the collector took for the last one, and no shorter than this.
_PACE: Final = 0.02  # seconds


class Spool:
    """Keeps batches of all signals for one process; switched off, or on a full disk, `keep` says that it cannot."""

    def __init__(self, settings: Settings, guard: Guard, counts: Ledger) -> None:
        self.ledger = counts
        self.keeps = settings.spool
        self._guard = guard
        self.settings = settings
        self._bounds = Bounds.of(settings)
        self._notices = Notices(counts, self._bounds.directory if settings.spool else "")
        self._encoders: dict[str, Encode] = {}
        self._files: dict[str, RotatingFile] = {}
        self._transports: dict[str, Transport] = {}
        self._couriers: list[Courier] = []
        self._stopped = False
        # Requests that the collector has refused for good, and files that hold nothing else, with their sizes.
        self._refused: dict[bytes, Answer] = {}
        self._left: dict[str, int] = {}
        begin(self._begin)

    # --- What the exporters ask for ------------------------------------------------------------------------
    def add(self, signal: Signal, transport: Transport, courier: Courier) -> None:
        """Have the lines of a signal sent by its transport; what an earlier process left is sent too."""
        self._transports[signal.name] = transport
        self._couriers.append(courier)
        name = f"{UNDELIVERED}{signal.name}"
        self._files[signal.name] = RotatingFile(name, self._bounds, on_delete=self._expired)
        if self.keeps and self._waiting():
            self._wake.set()
            self._start()

    @property
    def hurried(self) -> bool:
        """Whether the process ends: nothing more is sent."""
        return self._hurry.is_set()

    def sleep(self, seconds: float) -> None:
        """Sleep, unless the process ends."""
        self._hurry.wait(seconds)

    def is_away(self, signal: Signal) -> bool:
        """Whether the collector took nothing of a signal at the last attempt."""
        return self.keeps and (signal.name in self._away or self.hurried)

    def keep(self, signal: Signal, batch: Any, count: int) -> bool:
        """Write a batch to disk; returns whether that was possible."""
        if not self.keeps:
            return False
        with self._lock:
            line = self._line(signal, batch)
            if not line or not self._files[signal.name].write(line):
                return False
        self.ledger.keep(signal.name, count)
        self._wake.set()
        if not self._stopped:
            self._start()
        return True

    def delivered(self, signal: Signal, count: int, answer: Answer) -> None:
        """Note a batch that was accepted, but for what was rejected."""
        self._away.discard(signal.name)
        self._rejected(signal.name, answer)
        if not self._waits:
            self._notices.over()

    def failed(self, signal: Signal, reason: str, mend: str, *, answers: bool = False) -> None:
        """Note that the collector takes nothing of a signal for now; of none, unless it `answers`."""
        base = self._transports[signal.name].base
        others = () if answers else self._transports.items()
        self._away |= {signal.name, *(name for name, other in others if other.base == base)}
        self._notices.trouble(reason, mend)

    def lose(self, signal: Signal, reason: str, count: int, why: str, mend: str = "") -> None:
        """Count records that will never arrive, and log why."""
        self.ledger.lose(signal.name, reason, count)
        self._notices.lost(signal.name, count, why, mend)

    def divide(self, signal: Signal, batch: Any, count: int) -> None:
        """Send a batch that cannot be kept in halves, and these again; what is refused alone is lost."""
        with self._lock:
            line = self._line(signal, batch)
        request, before, taken = parse(line.strip()), self.ledger.lost_of(signal.name), 0
        if request is not None:

            def send(part: ExportRequest) -> Answer:
                nonlocal taken
                answer = self._deliver(part)
                taken += part.points if answer.accepted else 0
                return answer

            self._replayer(signal.name, send, self._refused_for_good).divide(request)
        refused = self.ledger.lost_of(signal.name) - before
        self.ledger.lose(signal.name, ledger.UNDELIVERED, max(0, count - taken - refused))

    # --- The end of the process ----------------------------------------------------------------------------
    def suspect(self, reason: str, mend: str) -> None:
        """Note, for the last line of the process, why a batch was kept that may yet be accepted in parts."""
        self._notices.note(reason, mend)

    def settle(self, timeout: float) -> bool:
        """Wait for the batches that are on their way, `timeout` seconds at most; returns whether none is left."""
        deadline = time.monotonic() + timeout
        return all([courier.settle(max(0.0, deadline - time.monotonic())) for courier in self._couriers])

    def hurry(self) -> None:
        """Keep, or count as lost, what is on its way, and send nothing more until `resume`."""
        self._hurry.set()
        for courier in self._couriers:
            courier.take_back()

    def resume(self) -> None:
        """Send again."""
        self._hurry.clear()

    def stop(self) -> None:
        """Send nothing more, and close the files; what comes later is still kept."""
        self._stopped = True
        self._stop.set()
        with self._lock:
            for file in self._files.values():
                file.close()

    def ending(self) -> None:
        """Say nothing of trouble from now on until `ended`, which says it all."""
        self._notices.ending = True

    def ended(self) -> None:
        """Log what the process leaves behind, if anything."""
        self._notices.ending = False
        self._notices.end()

    # --- Sending what was kept -----------------------------------------------------------------------------
    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._away: set[str] = set()
        self._hurry = threading.Event()
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._waits = False

    def _start(self) -> None:
        self._waits = True
        if self._thread is None:
            thread = threading.Thread(target=self._run, name="ailoop-otel-spool", daemon=True)
            with suppress(RuntimeError):  # no thread to be had: tried again with the next batch, or by the next process
                thread.start()
                self._thread = thread

    def _run(self) -> None:
        pause = _FIRST_PAUSE
        while not self._stop.wait(pause):
            self._wake.wait()
            self._wake.clear()
            with suppress_instrumentation():
                done, fault = tried(self._send_all)
            if fault is not None:
                self._guard.caught(fault)
            if done:
                pause = _FIRST_PAUSE
                self._waits = self._wake.is_set()
                if not self._stop.is_set():
                    self._notices.over()
            else:
                pause = min(2 * pause, _LONGEST_PAUSE)
                self._wake.set()

    def _line(self, signal: Signal, batch: Any) -> bytes:
        """A batch as a line; empty if it cannot be encoded."""
        return tried(self._encoded, signal, batch)[0] or b""

    def _encoded(self, signal: Signal, batch: Any) -> bytes:
        if signal.name not in self._encoders:
            self._encoders[signal.name] = line_encoder(signal, self.settings, self._guard)
        return self._encoders[signal.name](batch)

    def _send_all(self) -> bool:
        """Send what waits, oldest first; returns whether nothing waits any more."""
        done, stopped = True, set()
        for file in self._waiting():
            if self._stop.is_set() or self.hurried:
                return False
            if file.signal in stopped or file.signal not in self._transports:
                done &= file.signal not in stopped
                continue
            if not self._send_file(file):
                stopped.add(file.signal)
                done = False
        return done

    def _send_file(self, file: TelemetryFile) -> bool:
        """Send a file, and delete it if it is closed; returns whether all of it has been asked for."""
        if not self._sent(file):
            return False
        own = self._files[file.signal]
        with self._lock:
            if own.path == file.path:
                own.close()
        # What was written meanwhile.
        if not self._sent(file):
            return False
        if file.path not in self._left and not retention.is_live(file):
            with suppress(OSError):
                os.unlink(file.path)
        return True

    def _sent(self, file: TelemetryFile) -> bool:
        signal, took = file.signal, 0.0

        def send(request: ExportRequest) -> Answer:
            nonlocal took
            refusal = self._refused.get(request.content)
            if refusal is not None:
                return refusal
            begun = time.monotonic()
            answer = self._deliver(request)
            took = time.monotonic() - begun
            if answer.accepted:
                self.ledger.send(signal, request.points - min(answer.rejected, request.points))
                self._rejected(signal, answer)
                self._away.discard(signal)
            return answer

        def pause(size: int) -> None:
            nonlocal took
            if took:
                self._hurry.wait(max(_PACE, took))
                took = 0.0

        def refused(request: ExportRequest, answer: Answer) -> None:
            # It stays on disk: another process asks again, when the collector's limits may be others.
            if answer.final and request.content not in self._refused:
                self._refused[request.content] = answer
                self._notices.refused(signal, request.points, _why(request, answer), answer.mend)
            finals.append(answer.final)

        finals: list[bool] = []
        replayer = self._replayer(signal, send, refused)
        try:
            replayer.run([Path(file.path)], pause)
        except UsageError:  # another process sends it
            return False
        summary = replayer.summary
        if finals and all(finals):
            self._left[file.path] = file.size
        return all(finals) and not (summary.stopped or summary.unsupported or summary.unreadable or summary.interrupted)

    def _deliver(self, request: ExportRequest) -> Answer:
        """Send a recorded request as protobuf; raises ReplayStopped if the collector is away."""
        try:
            content = protobuf.encoded(request)
        except ValueError:
            return Answer(accepted=False, message="it is no OTLP", final=True)
        return Delivery(self._transports[request.signal.name], 0.0, sleep=self.sleep).deliver(request.signal, content)

    def _replayer(
        self,
        signal: str,
        send: Callable[[ExportRequest], Answer],
        on_refused: Callable[[ExportRequest, Answer], None],
    ) -> Replayer:
        base, every = self._transports[signal].base, frozenset(SIGNALS)
        return Replayer(send, base, every, None, lambda message: None, again=False, on_refused=on_refused)

    def _refused_for_good(self, request: ExportRequest, answer: Answer) -> None:
        reason = ledger.TOO_LARGE if answer.too_large else ledger.REFUSED
        self.ledger.lose(request.signal.name, reason, request.points)
        self._notices.lost(request.signal.name, request.points, _why(request, answer), answer.mend)

    def _rejected(self, signal: str, answer: Answer) -> None:
        if answer.rejected:
            self.ledger.lose(signal, ledger.REJECTED, answer.rejected)
            self._notices.lost(signal, answer.rejected, f"the collector rejected them: {answer.message or 'no reason'}")
        elif answer.message:
            self._notices.warned(answer.message)

    def _waiting(self) -> list[TelemetryFile]:
        try:
            files = retention.undelivered_files(self._bounds.directory)
        except OSError:
            return []
        return [file for file in files if self._left.get(file.path) != file.size]

    def _expired(self, file: TelemetryFile) -> None:
        """Count what a file holds that goes because the directory is full, or the file old."""
        if not file.undelivered:
            return
        count = 0
        with suppress(OSError):
            transport = self._transports.get(file.signal)
            count = unacknowledged(Path(file.path), transport.base if transport else "")
        if count:
            self.ledger.lose(file.signal, ledger.EXPIRED, count)
            self._notices.lost(
                file.signal,
                count,
                "they waited on disk beyond the bounds of the directory",
                "Raise AILOOP_OTEL_DIRECTORY_MAX_SIZE and AILOOP_OTEL_FILE_MAX_AGE.",
            )


def _why(request: ExportRequest, answer: Answer) -> str:
    return f"{answer.message} ({named(request)})" if request.records == 1 else answer.message
