"""Sends each line of each file once, stores which were acknowledged, and counts what came of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ailoop_otel.recorded.input_file import Line, read_lines
from ailoop_otel.recorded.otlp_json import Signal, text
from ailoop_otel.replay.acknowledged import NAME, Acknowledged
from ailoop_otel.replay.delivery import Answer, ReplayStopped
from ailoop_otel.replay.export_request import ExportRequest, halves, is_skippable, named, parse
from ailoop_otel.units import counted, moment

_MOST_SERVICES: Final = 5
_DIVIDED: Final = b"divided "
# Enough to isolate seven invalid spans among the 512 of a line; bounded for a collector that rejects everything.
_MOST_DIVISIONS: Final = 64


@dataclass(slots=True)
class Summary:
    """Counts of lines, and of records by signal; `begin` and `end` of the sent spans in nanoseconds since 1970."""

    sent: int = 0
    records: Counter[Signal] = field(default_factory=Counter)
    rejected: Counter[Signal] = field(default_factory=Counter)
    refused: Counter[Signal] = field(default_factory=Counter)
    already: int = 0
    unwanted: int = 0
    invalid: int = 0
    half_written: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    unsupported: Counter[Signal] = field(default_factory=Counter)
    stopped: str = ""
    interrupted: bool = False
    services: set[str] = field(default_factory=set)
    begin: int = 0
    end: int = 0

    @property
    def is_complete(self) -> bool:
        """Whether everything that was requested and is telemetry was accepted."""
        failures = (self.refused, self.unreadable, self.unsupported, self.stopped, self.interrupted)
        return not any(failures) and not self.rejected.total()

    @property
    def sent_records(self) -> str:
        """How many records were accepted, by signal: `5 spans and 1 metric`."""
        return " and ".join(counted(count, signal.record) for signal, count in self.records.items())

    def add(self, request: ExportRequest, answer: Answer) -> None:
        """Count a request, which may be a part of a line, that was accepted."""
        self.records[request.signal] += request.records
        self.rejected[request.signal] += answer.rejected
        self.services |= request.services
        if request.begin:
            self.begin = min(self.begin or request.begin, request.begin)
        self.end = max(self.end, request.end)

    def document(self, where: str, seconds: float) -> dict[str, object]:
        """The result as a JSON object; `where` is the destination, `seconds` how long the replay took."""
        counts = {"records": self.records, "rejected": self.rejected, "refused": self.refused}
        return {
            "kind": "replay",
            "endpoint": where,
            "complete": self.is_complete,
            "duration_s": seconds,
            "lines": self.sent,
            **{name: {signal.name: count for signal, count in of.items()} for name, of in counts.items()},
            "unsupported_lines": {signal.name: count for signal, count in self.unsupported.items()},
            "acknowledged_before": self.already,
            "of_other_signals": self.unwanted,
            "skipped_lines": self.invalid,
            "half_written": self.half_written,
            "unreadable": self.unreadable,
            "stopped": self.stopped or None,
            "interrupted": self.interrupted,
        }

    def sentences(self, where: str, seconds: float) -> Iterator[str]:
        """The result in sentences; `where` is the destination, `seconds` how long the replay took."""
        yield self._sent(where, seconds)
        for signal, count in self.rejected.items():
            if count:
                yield f"Rejected by it: {counted(count, signal.record)}."
        for signal, count in self.refused.items():
            yield f"Refused by it: {counted(count, signal.record)}; the next replay tries again."
        for signal, count in self.unsupported.items():
            yield f"Not sent, as it takes no {signal.name}: {counted(count, 'line')}."
        yield from self._skipped()
        yield from self._ended()
        yield from self._where_to_look()

    def _sent(self, where: str, seconds: float) -> str:
        if not self.records:
            return f"Sent nothing to {where}."
        rate = f", {self.records.total() / seconds:,.0f}/s" if seconds >= 0.1 else ""
        return f"Sent {self.sent_records} to {where}: {counted(self.sent, 'line')} in {seconds:.1f} s{rate}."

    def _skipped(self) -> Iterator[str]:
        if self.already:
            yield f"Skipped: {counted(self.already, 'line')} that it has acknowledged before (--again sends all)."
        if self.unwanted:
            yield f"Skipped: {counted(self.unwanted, 'line')} of other signals (--signals sends them)."
        if self.invalid:
            yield f"Skipped: {counted(self.invalid, 'line')} that are no telemetry, or torn."
        if self.half_written:
            yield f"Left for the next time: the last line of {', '.join(self.half_written)}, which is not whole yet."
        if self.unreadable:
            yield f"Not readable: {', '.join(self.unreadable)}."

    def _ended(self) -> Iterator[str]:
        if self.stopped:
            yield f"Stopped: {self.stopped}."
        if self.interrupted:
            yield "Stopped by Ctrl-C."
        if self.stopped or self.interrupted:
            yield "The same command goes on where this one ended."

    def _where_to_look(self) -> Iterator[str]:
        if not (self.begin and self.services):
            return
        services = sorted(self.services)
        more = " ..." if len(services) > _MOST_SERVICES else ""
        named = ", ".join(services[:_MOST_SERVICES])
        begin, end = (f"{moment(time, None):%Y-%m-%d %H:%M:%S}" for time in (self.begin, self.end))
        yield f"Look in Jaeger for service {named}{more}, from {begin} to {end}."


class Replayer:
    """Sends files to one destination; `summary` holds the result, `on_message` gets a message per failed line.

    `send` sends a request to the collector; it raises ReplayStopped if nothing more can be sent.
    What was acknowledged is stored in the file `state`; without one, in a file in the directory of each recording.
    With `again` lines are sent even if they were acknowledged before. `on_refused` is called with what was refused
    and cannot be halved.
    """

    def __init__(
        self,
        send: Callable[[ExportRequest], Answer],
        destination: str,
        wanted: frozenset[Signal],
        state: Path | None,
        on_message: Callable[[str], None],
        *,
        again: bool,
        on_refused: Callable[[ExportRequest, Answer], None] = lambda request, answer: None,
    ) -> None:
        self.summary = Summary()
        self._send_request = send
        self._destination = destination
        self._wanted = wanted
        self._state = state
        self._on_message = on_message
        self._again = again
        self._on_refused = on_refused
        self._unsupported: set[Signal] = set()
        self._divisions = 0
        # In memory for what is in no file.
        self._acknowledged: Acknowledged | set[bytes] = set()

    def run(self, files: Sequence[Path], on_line: Callable[[int], None]) -> None:
        """Send everything that was not acknowledged yet; calls `on_line` with the size of each line when it is done.

        Raises UsageError before anything is sent if acknowledged lines cannot be stored.
        """
        with ExitStack() as stack:
            states = {path: self._state or path.absolute().parent / NAME for path in files}
            databases = {
                state: stack.enter_context(Acknowledged(state, self._destination)) for state in set(states.values())
            }
            try:
                for path in files:
                    self._acknowledged = databases[states[path]]
                    self._file(path, on_line)
            except ReplayStopped as reason:
                self.summary.stopped = str(reason)
            except KeyboardInterrupt:
                self.summary.interrupted = True

    def divide(self, request: ExportRequest) -> None:
        """Send one request that is not in a file, in halves if need be."""
        self._divisions, self._acknowledged = 0, set()
        try:
            self._send(request, "a batch")
        except ReplayStopped as reason:
            self.summary.stopped = str(reason)

    def _file(self, path: Path, on_line: Callable[[int], None]) -> None:
        try:
            for line in read_lines(path):
                self._line(line, path)
                on_line(line.size)
        except FileNotFoundError:  # deleted by the writer's rotation
            return
        except OSError as fault:
            self.summary.unreadable.append(f"{text(path.name)} ({fault.strerror or type(fault).__name__})")

    def _line(self, line: Line, path: Path) -> None:
        place = f"{text(path.name)}, line {line.number}"
        if not line.content:
            return
        if line.too_long:
            self._invalid(f"{place}: longer than any export")
        elif is_skippable(line.content, self._wanted):
            self.summary.unwanted += 1
        elif self._is_known(line.content):
            self.summary.already += 1
        else:
            self._new(line, path, place)

    def _new(self, line: Line, path: Path, place: str) -> None:
        found = parse(line.content)
        if found is None or found.content != line.content:
            if not line.ended and found is None:
                self.summary.half_written.append(text(path.name))
                return
            self._invalid(f"{place}: no telemetry, or torn")
        if found is None:
            return
        if found.signal not in self._wanted:
            self.summary.unwanted += 1
        elif found.signal in self._unsupported:
            self.summary.unsupported[found.signal] += 1
        elif found.content != line.content and self._is_known(found.content):
            self.summary.already += 1
        else:
            self._divisions = 0
            self.summary.sent += self._send(found, place)

    def _send(self, found: ExportRequest, place: str) -> bool:
        """Send a line or a part of one; returns whether all of it was accepted."""
        if self._is_known(_DIVIDED + found.content):
            return self._divide(found, place)
        answer = self._send_request(found)
        if answer.accepted:
            # If the process is killed between sending and storing, the next replay sends the line again.
            self._acknowledged.add(found.content)
            self.summary.add(found, answer)
            if answer.rejected:
                self._on_message(
                    f"{place}: {counted(answer.rejected, found.signal.record)} rejected {answer.message}".rstrip()
                )
            elif answer.message:
                self._on_message(f"{place}: taken, with a warning: {answer.message}")
        elif answer.unsupported:
            self._unsupported.add(found.signal)
            self.summary.unsupported[found.signal] += 1
            mend = f". {answer.mend}" if answer.mend else ""
            self._on_message(f"{found.signal.name.capitalize()} are not taken: {answer.message}{mend}")
        elif answer.divisible and found.records > 1 and (answer.too_large or self._divisions < _MOST_DIVISIONS):
            return self._divide(found, place)
        else:
            self.summary.refused[found.signal] += found.records
            self._on_refused(found, answer)
            which = f" ({named(found)})" if answer.too_large else ""
            what = counted(found.records, found.signal.record)
            self._on_message(f"{place}: {what} refused with {answer.message}{which}")
        return answer.accepted

    def _divide(self, found: ExportRequest, place: str) -> bool:
        """Send a rejected request in halves, and these again, so that only invalid records are left out."""
        self._divisions += 1
        # The whole is never sent again, as that would duplicate a half that was accepted.
        self._acknowledged.add(_DIVIDED + found.content)
        parts = [self._is_known(half.content) or self._send(half, place) for half in halves(found)]
        if all(parts):
            self._acknowledged.add(found.content)
        return all(parts)

    def _invalid(self, message: str) -> None:
        self.summary.invalid += 1
        self._on_message(message)

    def _is_known(self, content: bytes) -> bool:
        return not self._again and content in self._acknowledged
