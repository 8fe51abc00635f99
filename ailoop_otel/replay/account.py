"""What became of each line, and the few sentences that tell it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Final

from ailoop_otel.replay.delivery import Answer
from ailoop_otel.replay.lines import Document
from ailoop_otel.replay.signals import Signal

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MOST_SERVICES: Final = 5


@dataclass(slots=True)
class Account:
    """Counts of lines and records; `begin` and `end` of the sent spans in nanoseconds since 1970."""

    sent: int = 0
    records: Counter[Signal] = field(default_factory=Counter)
    rejected: Counter[Signal] = field(default_factory=Counter)
    refused: Counter[Signal] = field(default_factory=Counter)
    already: int = 0
    unwanted: int = 0
    senseless: int = 0
    half_written: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    unsent: Counter[Signal] = field(default_factory=Counter)
    halted: str = ""
    interrupted: bool = False
    services: set[str] = field(default_factory=set)
    begin: int = 0
    end: int = 0

    @property
    def is_complete(self) -> bool:
        """Whether everything that is telemetry, and was asked for, is where it should be."""
        troubles = (self.refused, self.unreadable, self.unsent, self.halted, self.interrupted)
        return not any(troubles) and not self.rejected.total()

    @property
    def sent_records(self) -> str:
        """How many records were taken, by signal: `5 spans and 1 metric`."""
        return " and ".join(counted(count, signal.record) for signal, count in self.records.items())

    def take(self, document: Document, answer: Answer) -> None:
        """A line, or a part of one, was acknowledged."""
        self.records[document.signal] += document.records
        self.rejected[document.signal] += answer.rejected
        self.services |= document.services
        if document.begin:
            self.begin = min(self.begin or document.begin, document.begin)
        self.end = max(self.end, document.end)

    def sentences(self, where: str, seconds: float) -> Iterator[str]:
        """What a person wants to know at the end; `seconds` is how long it took."""
        yield self._sent(where, seconds)
        for signal, count in self.rejected.items():
            if count:
                yield f"Rejected by it: {counted(count, signal.record)}."
        for signal, count in self.refused.items():
            yield f"Refused by it: {counted(count, signal.record)}; the next replay tries again."
        for signal, count in self.unsent.items():
            yield f"Not sent, as it takes no {signal.name}: {counted(count, 'line')}."
        yield from self._skipped()
        yield from self._ended()
        yield from self._place()

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
        if self.senseless:
            yield f"Skipped: {counted(self.senseless, 'line')} that are no telemetry, or torn."
        if self.half_written:
            yield f"Left for the next time: the last line of {', '.join(self.half_written)}, which is not whole yet."
        if self.unreadable:
            yield f"Not readable: {', '.join(self.unreadable)}."

    def _ended(self) -> Iterator[str]:
        if self.halted:
            yield f"Stopped: {self.halted}."
        if self.interrupted:
            yield "Stopped by Ctrl-C."
        if self.halted or self.interrupted:
            yield "The same command goes on where this one ended."

    def _place(self) -> Iterator[str]:
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
    """The time on this machine's clock, to the second."""
    moment = _EPOCH + timedelta(microseconds=nanoseconds // 1000)
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S}"
