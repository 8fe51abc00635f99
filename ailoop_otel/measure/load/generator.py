"""The load generator of one process: keeps sessions open, sends messages when they are due, records the answers.

Open loop: a message is due at its planned time and is sent by a free session. If no session is free, it waits, and its
latency still counts from the planned time. Closed loop: each session plans its next message itself.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import random
import time
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, Final

from ailoop_otel.measure.client import exchanges
from ailoop_otel.measure.client.exchanges import Place
from ailoop_otel.measure.client.message import CLIENT_TIMEOUT, DISCONNECTED, OWN_LIMIT, REFUSED, Message
from ailoop_otel.measure.client.session import ClientSession, dialect_named
from ailoop_otel.measure.client.websocket import Refused
from ailoop_otel.measure.load.limits import MENDS
from ailoop_otel.measure.load.plan import PlannedMessage, Segment, arrivals, dealt, drawn, share
from ailoop_otel.measure.load.scenario import AI_TIMEOUT, OPEN, Prompt, Scenario, UserKind
from ailoop_otel.measure.load.session_slot import SessionSlot
from ailoop_otel.measure.results import histograms
from ailoop_otel.measure.results.observations import Observation, Phase

_BEAT: Final = 0.05
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0
_OPENING: Final = 30.0


class LoadGenerator:
    """All sessions of one load process; used from one event loop. The worker takes `rows` and the events from it.

    `process` is its number, `origin` the start of the run, in seconds of `time.perf_counter()`.
    """

    def __init__(self, url: str, scenario: Scenario, process: int, origin: float) -> None:
        self.url = url
        self.scenario = scenario
        self.process = process
        self.origin = origin
        self._dialect = dialect_named(scenario.dialect)
        self.rows: list[Observation] = []
        self.events: list[tuple[str, int, Any]] = []
        self.gaps = histograms.histogram()
        self.lag = histograms.histogram()
        self.opened = self.planned = self.done = self.errors = 0
        self.dialect = ""
        self.refusal = ""
        self.own_limit = ""  # why this system, not the server, did not let a session be opened
        self.unknown_dialect = False
        self.unread = False  # frames of an unknown form came that may have carried an answer
        self._is_open_loop = scenario.loop == OPEN
        self.segment = Segment(0, "warmup", 0.0, time.perf_counter())
        self._arrivals = self._arrivals_of(self.segment)
        self._due = next(self._arrivals)
        users, seed = scenario.user_kinds(), scenario.seed
        self._users = drawn(users, seed, process, "users")
        self._prompts = {each.name: drawn(each.messages, seed, process, f"messages{each.name}") for each in users}
        self._dealt = itertools.islice(dealt(users), process, None, scenario.processes)
        self._users_of_slots: list[UserKind] = []
        self._thinking = random.Random(f"{seed}/{process}/think")
        self._slots: list[SessionSlot] = []
        self._free: deque[SessionSlot] = deque()
        self._backlog: deque[PlannedMessage] = deque()
        self._open: dict[int, PlannedMessage] = {}
        self._planned_in_segment = 0
        self._timer: asyncio.TimerHandle | None = None
        self._tried = asyncio.Event()
        self._idle = asyncio.Event()
        self._attempts = 0
        self._wanted = 0
        self._numbers = 0

    # --- Commands of the campaign ---------------------------------------------------------------------------
    @property
    def connected(self) -> int:
        """How many sessions are connected."""
        return sum(slot.session is not None and slot.session.is_open for slot in self._slots)

    @property
    def waiting(self) -> int:
        """How many messages are planned and have not ended."""
        return len(self._open) + sum(map(len, self._backlogs()))

    @property
    def exhausted(self) -> bool:
        """Whether the segment has planned its highest number of messages."""
        return self._planned_in_segment >= self._share_of_segment()

    async def fill(self, count: int, seconds: float = 0.0) -> None:
        """Keep `count` sessions open; returns when opening each new one was attempted once.

        With `seconds` they are opened, or closed, evenly over so long. A later call replaces this one.
        """
        self._wanted = count
        change = count - len(self._slots)
        gap = seconds / abs(change) if seconds and change else self.scenario.processes / self.scenario.opening
        target = self._attempts + max(0, change)
        while self._wanted == count and len(self._slots) < count:
            self._add_slot()
            if len(self._slots) < count:
                await asyncio.sleep(gap)
        while self._wanted == count and len(self._slots) > count:
            slot = self._slots.pop()
            slot.wanted = False
            slot.wake()
            if seconds and len(self._slots) > count:
                await asyncio.sleep(gap)
        while self._wanted == count and self._attempts < target:
            self._tried.clear()
            await self._tried.wait()

    def _add_slot(self) -> None:
        slot = self._new_slot()
        self._slots.append(slot)
        slot.task = asyncio.create_task(self._occupy(slot))

    def _new_slot(self) -> SessionSlot:
        return SessionSlot(self._user_of(len(self._slots)), self._backlog)

    def _backlogs(self) -> Iterable[deque[PlannedMessage]]:
        """The messages that wait for a session: here one queue for all."""
        return (self._backlog,)

    def _user_of(self, place: int) -> UserKind:
        """The kind of user in a slot: the same one when the slot is closed and opened again."""
        if place == len(self._users_of_slots):
            self._users_of_slots.append(next(self._dealt))
        return self._users_of_slots[place]

    def begin(self, segment: Segment) -> None:
        """Plan the messages of a segment from its time `at` on; messages that are planned already stay."""
        delay = segment.at - time.perf_counter()
        if delay > 0:
            asyncio.get_running_loop().call_later(delay, self._switch, segment)
        else:
            self._switch(segment)

    def _switch(self, segment: Segment) -> None:
        self.segment = segment
        if not segment.goes_on:
            self._planned_in_segment = 0
        self._arrivals = self._arrivals_of(segment)
        self._due = next(self._arrivals)
        if self._is_open_loop:
            self._schedule()
        else:
            for slot in self._slots:
                slot.wake()

    async def end(self) -> None:
        """Plan no more messages, wait for those that have not ended, then stop all sessions."""
        self._switch(Segment(self.segment.number, self.segment.phase, 0.0, time.perf_counter()))
        while self.waiting:
            self._idle.clear()
            await self._idle.wait()
        for slot in self._slots:
            slot.wanted = False
            slot.wake()
        await asyncio.gather(*(slot.task for slot in self._slots if slot.task is not None))

    def abort(self) -> None:
        """Cancel all work and drop all connections at once."""
        for slot in self._slots:
            if slot.task is not None:
                slot.task.cancel()
            if slot.session is not None:
                slot.session.drop()

    async def beat(self) -> None:
        """Until cancelled: give up messages that waited too long for a session, and record how late the loop runs."""
        due = time.perf_counter() + _BEAT
        while True:
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            now = time.perf_counter()
            histograms.record(self.lag, max(0.0, now - due))
            due = max(due + _BEAT, now)
            for backlog in self._backlogs():
                while backlog and now > backlog[0].message.planned + self.scenario.patience:
                    backlog.popleft().message.abandon(CLIENT_TIMEOUT)

    def take_events(self) -> list[tuple[str, int, Any]]:
        """Return and clear the events of single messages: planned, first chunk, end."""
        for number, planned in self._open.items():
            first = planned.message.first_chunk
            if first and not planned.first_reported:
                planned.first_reported = True
                self.events.append(("first", number, first - planned.message.planned))
        events, self.events = self.events, []
        return events

    # --- Planning ------------------------------------------------------------------------------------------
    def _arrivals_of(self, segment: Segment) -> Iterator[float]:
        """The times at which messages of a segment are due."""
        scenario = self.scenario
        seed = scenario.seed + segment.number
        return arrivals(segment, scenario.arrivals, process=self.process, processes=scenario.processes, seed=seed)

    def _share_of_segment(self) -> int:
        return share(self.segment.most, self.process, self.scenario.processes)

    def _schedule(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._due != math.inf and not self.exhausted:
            delay = max(0.0, self._due - time.perf_counter())
            self._timer = asyncio.get_running_loop().call_later(delay, self._arrive)

    def _arrive(self) -> None:
        """Plan the messages whose time has come."""
        now = time.perf_counter()
        while self._due <= now and not self.exhausted:
            self._take(self._due)
            self._due = next(self._arrivals)
        self._schedule()

    def _take(self, at: float) -> None:
        """Plan the message that is due, and give it to a free session, or let it wait for one."""
        planned = self._plan(at, next(self._users))
        while self._free:
            slot = self._free.popleft()
            if slot.waiting is not None:
                slot.wake(planned)
                return
        self._backlog.append(planned)

    def _plan(self, at: float, user: UserKind, prompt: Prompt | None = None) -> PlannedMessage:
        """Create the next message of a kind of user, planned for the time `at`; without a prompt one is drawn."""
        prompt = prompt or next(self._prompts[user.name])
        number = self.planned * self.scenario.processes + self.process
        planned = PlannedMessage(Message(at), prompt, user, self.segment, number)
        planned.message.on_end = lambda message: self._ended(planned)
        self.planned += 1
        self._planned_in_segment += 1
        self.events.append(("planned", number, [self.segment.number, at]))
        return planned

    # --- Sessions ------------------------------------------------------------------------------------------
    async def _occupy(self, slot: SessionSlot) -> None:
        pause = _FIRST_PAUSE
        while slot.wanted:
            if self.exhausted and not slot.backlog:
                # A session that sends no message would only be opened and closed.
                await slot.wait()
                continue
            number = self._numbers * self.scenario.processes + self.process
            self._numbers += 1
            place = Place(self.origin, self._phase(), number, process=self.process)
            session = await self._try(place)
            self._attempts += 1
            self._tried.set()
            if session is None:
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
                continue
            pause = _FIRST_PAUSE
            slot.session = session
            session.on_over = slot.wake
            await self._use(slot, session, number)
            await self._leave(session, place)
            slot.session = None

    def _phase(self) -> Phase:
        """The phase of a session's start, which is a figure though sessions are opened before the measurement."""
        ramp = self.scenario.ramp
        return "ramp" if ramp is not None and ramp.search else "run"

    async def _try(self, place: Place) -> ClientSession | None:
        """Open a session, or record that the server refused it."""
        session = ClientSession(self._dialect)
        session.asked_at = time.perf_counter()
        try:
            await session.open(self.url, deflate=self.scenario.compression, patience=_OPENING)
            await session.start(_OPENING)
        except Refused as refused:
            self.refusal = str(refused)
            self.own_limit = MENDS.get(refused.cause, self.own_limit)
            outcome = OWN_LIMIT if refused.cause in MENDS else REFUSED
            session.drop()
            self.rows.append(exchanges.session_start_observation(session, place, outcome))
            self._refuse(outcome)
            return None
        self.rows.append(exchanges.session_start_observation(session, place))
        self.opened += 1
        return session

    def _refuse(self, outcome: str) -> None:
        """Without any session, end all waiting messages with this outcome."""
        if self.connected:
            return
        if not self._is_open_loop and self.segment.rate and not self.exhausted:
            self._plan(time.perf_counter(), next(self._users)).message.abandon(outcome)
        for backlog in self._backlogs():
            while backlog:
                backlog.popleft().message.abandon(outcome)

    async def _use(self, slot: SessionSlot, session: ClientSession, number: int) -> None:
        """Send the messages that are due until the session is lost, had its last message or is not wanted any more."""
        turns = self.scenario.turns
        while slot.wanted and session.is_open and (not turns or session.turns < turns):
            planned = await self._next(slot, session)
            if planned is None:
                continue
            planned.session = number
            await self._exchange(session, planned)
            self.dialect = session.conversation.traits.name
            self.unknown_dialect = self.unknown_dialect or session.conversation.stranger
            self.unread = self.unread or session.conversation.unread
            if planned.message.outcome in (CLIENT_TIMEOUT, DISCONNECTED):
                session.drop()

    async def _next(self, slot: SessionSlot, session: ClientSession) -> PlannedMessage | None:
        """Wait for the next message of a session; None when the caller has to check the session's state first."""
        if self._is_open_loop:
            if slot.backlog:
                return slot.backlog.popleft()
            self._free.append(slot)
        elif self.segment.rate and not self.exhausted:
            pause = self._pause(slot.user) if session.turns else 0.0
            if not pause or not await slot.think(pause):
                # Other sessions may have planned the last message meanwhile.
                due = session.is_open and self.segment.rate and not self.exhausted
                return self._plan(time.perf_counter(), slot.user) if due else None
            return None
        return await slot.wait()

    def _pause(self, user: UserKind) -> float:
        """Draw the seconds from an answer to the next message."""
        think = user.think or 0.0
        return think if user.think_max is None else self._thinking.uniform(think, user.think_max)

    async def _exchange(self, session: ClientSession, planned: PlannedMessage) -> None:
        message = planned.message
        self._open[planned.number] = planned
        left = message.planned + self.scenario.patience - time.perf_counter()
        timer = asyncio.get_running_loop().call_later(max(0.0, left), message.abandon, CLIENT_TIMEOUT)
        session.send(planned.prompt.text, message)
        if message.sent and not message.ended:
            self.events.append(("sent", planned.number, max(0.0, message.sent - message.planned)))
        await planned.over.wait()
        timer.cancel()

    async def _leave(self, session: ClientSession, place: Place) -> None:
        if session.is_open and self.scenario.stop:
            await session.stop()
        else:
            await session.close()
        self.rows += exchanges.session_end_observations(session, place)

    def _ended(self, planned: PlannedMessage) -> None:
        """Record the observations and the event of a message that has ended."""
        planned.over.set()
        self._open.pop(planned.number, None)
        message, segment = planned.message, planned.segment
        if not self.waiting:
            self._idle.set()
        self.done += 1
        self.errors += message.outcome != "ok"
        label = planned.user.name or planned.prompt.name
        place = Place(self.origin, segment.phase, planned.session, planned.number, label, self.process)
        self.rows += exchanges.message_observations(
            message, place, expects_timeout=planned.prompt.expects == AI_TIMEOUT
        )
        first = message.first_chunk - message.planned if message.first_chunk else None
        took = message.completed - message.planned if message.completed else None
        self.events.append(("ended", planned.number, [message.outcome, first, took]))
        if segment.phase != "warmup":
            # Chunks of one read have one time: they are one arrival, and nothing is known of a gap between them.
            for gap in filter(None, message.gaps if message.knows_stream else ()):
                histograms.record(self.gaps, gap)
