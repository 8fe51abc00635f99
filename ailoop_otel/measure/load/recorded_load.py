"""The load generator of recorded traffic: its sessions open, send their messages and close at their recorded times."""

from __future__ import annotations

import json
import math
from collections import deque
from collections.abc import Iterator
from typing import Final

from ailoop_otel.measure.client.session import ClientSession
from ailoop_otel.measure.load.generator import LoadGenerator
from ailoop_otel.measure.load.plan import PlannedMessage, Segment
from ailoop_otel.measure.load.recorded_sessions import RecordedMessage, Step, steps
from ailoop_otel.measure.load.scenario import Prompt, Scenario, UserKind
from ailoop_otel.measure.load.session_slot import SessionSlot
from ailoop_otel.protocol.dialect import Dialect

_COMMAND: Final = "/help"
_FILLER: Final = "Tell me one more thing about the sea. "
_SESSION_ID: Final = 36


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

    def __init__(self, url: str, scenario: Scenario, process: int, origin: float) -> None:
        assert scenario.recorded is not None
        self._sessions = scenario.recorded.sessions[process :: scenario.processes]
        self._step: Step | None = None  # the one that is due
        super().__init__(url, scenario, process, origin)
        self._user = UserKind("")

    def _arrivals_of(self, segment: Segment) -> Iterator[float]:
        for step in steps(self._sessions) if segment.rate else ():
            self._step = step
            yield segment.at + step.at
        self._step = None
        yield math.inf

    @property
    def exhausted(self) -> bool:
        """Whether all that was recorded has happened."""
        return self.segment.rate > 0 and self._step is None

    def _backlogs(self) -> Iterator[deque[PlannedMessage]]:
        return (slot.backlog for slot in self._slots)

    def _new_slot(self) -> SessionSlot:
        return SessionSlot(self._user, deque())

    def _take(self, at: float) -> None:
        step = self._step
        assert step is not None
        while step.what == "open" and step.session >= len(self._slots):
            self._add_slot()
        slot = self._slots[step.session]
        if step.message is not None:
            name = "command" if step.message.command else "message"
            planned = self._plan(at, self._user, Prompt(text_of(step.message, self._dialect), name=name))
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
