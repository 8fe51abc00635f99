"""Counts the lines and records of a replay, and the sentences printed at its end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Final

from ailoop_otel.recorded.otlp_json import Signal
from ailoop_otel.replay.delivery import Answer
from ailoop_otel.replay.export_request import ExportRequest

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MOST_SERVICES: Final = 5


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
        yield f"Look in Jaeger for service {named}{more}, from {_moment(self.begin)} to {_moment(self.end)}."


def counted(number: int, thing: str) -> str:
    """A number with its noun: `1 line`, `2 lines`."""
    return f"{number:,} {thing if number == 1 else thing + 's'}"


def _moment(nanoseconds: int) -> str:
    """The local time, to the second."""
    moment = _EPOCH + timedelta(microseconds=nanoseconds // 1000)
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S}"
