"""The load generator of recorded traffic: its sessions open, send their messages and close at their recorded times."""

from __future__ import annotations

import json
import math
import time
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Final

from ailoop_otel.measure.client.session import ClientSession
from ailoop_otel.measure.load.generator import LoadGenerator
from ailoop_otel.measure.load.plan import Arrivals, Job, PlannedMessage, Segment
from ailoop_otel.measure.load.recorded_sessions import RecordedMessage, RecordedSession, Step, steps
from ailoop_otel.measure.load.scenario import Prompt, UserKind
from ailoop_otel.measure.load.session_slot import SessionSlot
from ailoop_otel.protocol.dialect import Dialect

_COMMAND: Final = "/help"
_FILLER: Final = "Tell me one more thing about the sea. "
_SESSION_ID: Final = 36


class RecordedArrivals(Arrivals):
    """The steps of sessions as arrivals of a segment; `step` is the one that is due."""

    def __init__(self, segment: Segment, sessions: Sequence[RecordedSession]) -> None:
        self._begin = segment.at
        self._steps: Iterator[Step] = iter(steps(sessions) if segment.rate else ())
        self.step: Step | None = None
        self.due = math.inf
        self.advance()

    def advance(self) -> None:
        """Go on to the next step."""
        self.step = next(self._steps, None)
        self.due = math.inf if self.step is None else self._begin + self.step.at


def text_of(message: RecordedMessage, dialect: Dialect) -> str:
    """What is sent for a recorded message: its text, or text that makes the frame as long as the recorded one."""
    if message.text:
        return message.text
    if message.command:
        return _COMMAND
    params = dialect.message_params("0" * _SESSION_ID, "")
    if dialect.takes_meta:
        params = params | {"_meta": {}}
    frame = {"jsonrpc": "2.0", "id": 1, "method": dialect.message_method, "params": params}
    length = max(1, message.size - len(json.dumps(frame)))
    return (_FILLER * (length // len(_FILLER) + 1))[:length]


class RecordedLoad(LoadGenerator):
    """The load generator of recorded sessions, of which each process has its share.

    A session sends its messages one after the other: one that is due while another is answered waits, which counts in
    its latency. A session that is lost is opened again for the messages that are left.
    """

    def __init__(self, job: Job) -> None:
        recorded, scenario = job.scenario.recorded, job.scenario
        self._sessions = recorded.sessions[job.process :: scenario.processes] if recorded is not None else ()
        super().__init__(job)
        self._user = UserKind("")

    def _arrivals_of(self, segment: Segment) -> Arrivals:
        return RecordedArrivals(segment, self._sessions)

    @property
    def exhausted(self) -> bool:
        """Whether all that was recorded has happened."""
        arrivals = self._arrivals
        return self.segment.rate > 0 and isinstance(arrivals, RecordedArrivals) and arrivals.step is None

    def _backlogs(self) -> Iterator[deque[PlannedMessage]]:
        return (slot.backlog for slot in self._slots)

    def _new_slot(self) -> SessionSlot:
        return SessionSlot(self._user, deque())

    def _due(self) -> None:
        """Take the steps whose time has come."""
        now, arrivals = time.perf_counter(), self._arrivals
        assert isinstance(arrivals, RecordedArrivals)
        while arrivals.due <= now and arrivals.step is not None:
            self._take(arrivals.step, arrivals.due)
            arrivals.advance()
        self._schedule()

    def _take(self, step: Step, due: float) -> None:
        while step.what == "open" and step.session >= len(self._slots):
            self._add_slot()
        slot = self._slots[step.session]
        if step.message is not None:
            name = "command" if step.message.command else "message"
            planned = self._plan(due, self._user, Prompt(text_of(step.message, self._dialect), name=name))
            if slot.waiting is not None:
                slot.wake(planned)
            else:
                slot.backlog.append(planned)
        elif step.what == "close":
            slot.closing = True
            slot.wake()

    async def _next(self, slot: SessionSlot, session: ClientSession) -> PlannedMessage | None:
        if slot.closing and not slot.backlog:
            slot.wanted = False
            return None
        if slot.backlog:
            return slot.backlog.popleft()
        return await slot.wait()
