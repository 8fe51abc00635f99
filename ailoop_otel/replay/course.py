"""The course of a replay: each line of each file, sent once and remembered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final, Protocol

from ailoop_otel.recorded.values import text
from ailoop_otel.replay.account import Account, counted
from ailoop_otel.replay.acknowledged import NAME, Acknowledged
from ailoop_otel.replay.delivery import Answer
from ailoop_otel.replay.lines import Document, Line, document, halves, is_skippable, lines
from ailoop_otel.replay.refusal import Halt
from ailoop_otel.replay.signals import Signal

_DIVIDED: Final = b"divided "
# Seven bad spans among the 512 of a line are found so; a collector that refuses everything is not asked for ever.
_MOST_DIVISIONS: Final = 64


class Sender(Protocol):
    """Whatever brings a line to a collector."""

    def send(self, document: Document) -> Answer:
        """Send one line; raises Halt where nothing more can be sent."""


class Course:
    """Sends files to one destination; `account` says what came of it, `tells` hears of each line that was refused.

    What was acknowledged is remembered in `state`, or beside each file where none is named.
    """

    def __init__(
        self,
        sender: Sender,
        destination: str,
        wanted: frozenset[Signal],
        state: Path | None,
        tells: Callable[[str], None],
        *,
        again: bool,
    ) -> None:
        self.account = Account()
        self._sender = sender
        self._destination = destination
        self._wanted = wanted
        self._state = state
        self._tells = tells
        self._again = again
        self._hopeless: set[Signal] = set()
        self._divisions = 0

    def run(self, files: Sequence[Path], read: Callable[[int], None]) -> None:
        """Send everything that was not acknowledged yet; `read` is called with the bytes of each line when it is done.

        Raises Refusal where what is acknowledged cannot be remembered, before anything is sent.
        """
        with ExitStack() as stack:
            states = {path: self._state or path.absolute().parent / NAME for path in files}
            remembered = {
                state: stack.enter_context(Acknowledged(state, self._destination)) for state in set(states.values())
            }
            try:
                for path in files:
                    self._file(path, remembered[states[path]], read)
            except Halt as halt:
                self.account.halted = str(halt)
            except KeyboardInterrupt:
                self.account.interrupted = True

    def _file(self, path: Path, acknowledged: Acknowledged, read: Callable[[int], None]) -> None:
        try:
            for line in lines(path):
                self._line(line, path, acknowledged)
                read(line.size)
        except FileNotFoundError:  # the writer's rotation took it
            return
        except OSError as fault:
            self.account.unreadable.append(f"{text(path.name)} ({fault.strerror or type(fault).__name__})")

    def _line(self, line: Line, path: Path, acknowledged: Acknowledged) -> None:
        place = f"{text(path.name)}, line {line.number}"
        if not line.content:
            return
        if line.endless:
            self._senseless(f"{place}: longer than any export")
        elif is_skippable(line.content, self._wanted):
            self.account.unwanted += 1
        elif self._is_known(line.content, acknowledged):
            self.account.already += 1
        else:
            self._new(line, path, place, acknowledged)

    def _new(self, line: Line, path: Path, place: str, acknowledged: Acknowledged) -> None:
        found = document(line.content)
        if found is None or found.content != line.content:
            if not line.ended and found is None:
                self.account.half_written.append(text(path.name))
                return
            self._senseless(f"{place}: no telemetry, or torn")
        if found is None:
            return
        if found.signal not in self._wanted:
            self.account.unwanted += 1
        elif found.signal in self._hopeless:
            self.account.unsent[found.signal] += 1
        elif found.content != line.content and self._is_known(found.content, acknowledged):
            self.account.already += 1
        else:
            self._divisions = 0
            self.account.sent += self._send(found, place, acknowledged)

    def _send(self, found: Document, place: str, acknowledged: Acknowledged) -> bool:
        """Send a line or a part of one, and say whether all of it was taken."""
        if self._is_known(_DIVIDED + found.content, acknowledged):
            return self._divide(found, place, acknowledged)
        answer = self._sender.send(found)
        if answer.taken:
            # Between these two a killed process leaves a line that is sent once more.
            acknowledged.add(found.content)
            self.account.take(found, answer)
            if answer.rejected:
                self._tells(f"{place}: {counted(answer.rejected, found.signal.record)} rejected {answer.told}".rstrip())
            elif answer.told:
                self._tells(f"{place}: taken, with a warning: {answer.told}")
        elif answer.hopeless:
            self._hopeless.add(found.signal)
            self.account.unsent[found.signal] += 1
            self._tells(f"{found.signal.name.capitalize()} are not taken: {answer.told}")
        elif answer.divisible and found.records > 1 and self._divisions < _MOST_DIVISIONS:
            return self._divide(found, place, acknowledged)
        else:
            self.account.refused[found.signal] += found.records
            self._tells(f"{place}: {counted(found.records, found.signal.record)} refused with {answer.told}")
        return answer.taken

    def _divide(self, found: Document, place: str, acknowledged: Acknowledged) -> bool:
        """Send the halves of what was refused: of a line that is too large all is taken, of another all that can be."""
        self._divisions += 1
        # Never whole again: once a half is there, the whole would double it.
        acknowledged.add(_DIVIDED + found.content)
        parts = [
            self._is_known(half.content, acknowledged) or self._send(half, place, acknowledged)
            for half in halves(found)
        ]
        if all(parts):
            acknowledged.add(found.content)
        return all(parts)

    def _senseless(self, told: str) -> None:
        self.account.senseless += 1
        self._tells(told)

    def _is_known(self, content: bytes, acknowledged: Acknowledged) -> bool:
        return not self._again and acknowledged.holds(content)
