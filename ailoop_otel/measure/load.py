"""One load process's sessions: they are kept open, are given messages when these are due, and tell what came.

Open loop: a message is due at its planned time and is sent by a session that is free; if none is, it waits, and its
latency counts from the planned time all the same. Closed loop: a session plans its next message itself.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import Any, Final

from ailoop_otel.measure import exchanges, histograms
from ailoop_otel.measure.client import Session, dialect_named
from ailoop_otel.measure.exchanges import Place
from ailoop_otel.measure.message import CLIENT_TIMEOUT, DISCONNECTED, REFUSED, Message
from ailoop_otel.measure.observations import Observation, Phase
from ailoop_otel.measure.plan import Arrivals, Choice, share
from ailoop_otel.measure.scenario import AI_TIMEOUT, OPEN
from ailoop_otel.measure.socket import Refused
from ailoop_otel.measure.stage import Job, Planned, Seat, Stage

_BEAT: Final = 0.05
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0
_OPENING: Final = 30.0


class Load:
    """All sessions of one load process; used from one event loop. `rows` and the events are taken by whoever tells."""

    def __init__(self, job: Job) -> None:
        scenario = job.scenario
        self.job = job
        self.rows: list[Observation] = []
        self.events: list[tuple[str, int, Any]] = []
        self.gaps = histograms.histogram()
        self.lag = histograms.histogram()
        self.opened = self.planned = self.done = self.errors = 0
        self.dialect = ""
        self._dialect = dialect_named(scenario.dialect)
        self.refusal = ""
        self.stranger = False
        self._is_open_loop = scenario.loop == OPEN or scenario.ramp is not None
        self._stage = Stage(0, "warmup", 0.0, time.perf_counter())
        self._arrivals = self._row_of(self._stage)
        self._choice = Choice(scenario.messages, scenario.seed, job.process)
        self._seats: list[Seat] = []
        self._free: deque[Seat] = deque()
        self._backlog: deque[Planned] = deque()
        self._open: dict[int, Planned] = {}
        self._in_stage = 0
        self._timer: asyncio.TimerHandle | None = None
        self._tried = asyncio.Event()
        self._idle = asyncio.Event()
        self._attempts = 0
        self._numbers = 0
        self._told: set[int] = set()

    # --- What the campaign asks for ------------------------------------------------------------------------
    @property
    def connected(self) -> int:
        """How many sessions are connected."""
        return sum(seat.session is not None and seat.session.is_open for seat in self._seats)

    @property
    def waiting(self) -> int:
        """How many messages are planned and not ended."""
        return len(self._open) + len(self._backlog)

    @property
    def stage(self) -> int:
        """The number of the stage it is at."""
        return self._stage.number

    @property
    def spent(self) -> bool:
        """Whether the stage has planned all that it may."""
        return self._in_stage >= self._share_of_stage()

    async def fill(self, count: int) -> None:
        """Have so many sessions; returns when each new one was tried once."""
        surplus, self._seats = self._seats[count:], self._seats[:count]
        for seat in surplus:
            seat.wanted = False
            seat.wake()
        missing = count - len(self._seats)
        gap = self.job.scenario.processes / self.job.scenario.opening
        target = self._attempts + missing
        for number in range(missing):
            if number:
                await asyncio.sleep(gap)
            seat = Seat()
            self._seats.append(seat)
            seat.task = asyncio.create_task(self._occupy(seat))
        while self._attempts < target:
            self._tried.clear()
            await self._tried.wait()

    def begin(self, stage: Stage) -> None:
        """Plan messages as the stage says from its moment on; what the one before planned until then stays."""
        delay = stage.at - time.perf_counter()
        if delay > 0:
            asyncio.get_running_loop().call_later(delay, self._switch, stage)
        else:
            self._switch(stage)

    def _switch(self, stage: Stage) -> None:
        self._stage = stage
        self._in_stage = 0
        self._arrivals = self._row_of(stage)
        if self._is_open_loop:
            self._schedule()
        else:
            for seat in self._seats:
                seat.wake()

    async def end(self) -> None:
        """Plan no more; wait for what is under way, then stop all sessions."""
        self._switch(Stage(self._stage.number, self._stage.phase, 0.0, time.perf_counter()))
        while self.waiting:
            self._idle.clear()
            await self._idle.wait()
        for seat in self._seats:
            seat.wanted = False
            seat.wake()
        await asyncio.gather(*(seat.task for seat in self._seats if seat.task is not None))

    def abort(self) -> None:
        """Drop everything at once."""
        for seat in self._seats:
            if seat.task is not None:
                seat.task.cancel()
            if seat.session is not None:
                seat.session.drop()

    async def beat(self) -> None:
        """Look after what no frame tells, for ever: messages that waited too long, and how late this loop is."""
        due = time.perf_counter() + _BEAT
        while True:
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            now = time.perf_counter()
            histograms.record(self.lag, max(0.0, now - due))
            due = max(due + _BEAT, now)
            while self._backlog and now > self._backlog[0].message.planned + self.job.scenario.patience:
                self._backlog.popleft().message.abandon(CLIENT_TIMEOUT)

    def follow(self) -> list[tuple[str, int, Any]]:
        """What happened to single messages since the last call: planned, first chunk, end."""
        for number, planned in self._open.items():
            first = planned.message.first_chunk
            if first and number not in self._told:
                self._told.add(number)
                self.events.append(("first", number, first - planned.message.planned))
        events, self.events = self.events, []
        return events

    # --- Planning ------------------------------------------------------------------------------------------
    def _row_of(self, stage: Stage) -> Arrivals:
        scenario = self.job.scenario
        return Arrivals(
            stage.rate, scenario.arrivals, stage.at,
            process=self.job.process, processes=scenario.processes, seed=scenario.seed + stage.number,
        )  # fmt: skip

    def _share_of_stage(self) -> int:
        return share(self._stage.most, self.job.process, self.job.scenario.processes)

    def _schedule(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._arrivals.due != float("inf") and not self.spent:
            delay = max(0.0, self._arrivals.due - time.perf_counter())
            self._timer = asyncio.get_running_loop().call_later(delay, self._due)

    def _due(self) -> None:
        """The planned time of one message or more has come."""
        now = time.perf_counter()
        while self._arrivals.due <= now and not self.spent:
            planned = self._plan(self._arrivals.due)
            self._arrivals.advance()
            self._hand_out(planned)
        self._schedule()

    def _plan(self, at: float) -> Planned:
        """Make the next message, planned for a moment."""
        prompt = self._choice.next()
        number = self.planned * self.job.scenario.processes + self.job.process
        planned = Planned(Message(at), prompt, self._stage, number)
        planned.message.on_end = lambda message: self._ended(planned)
        self.planned += 1
        self._in_stage += 1
        self.events.append(("planned", number, self._stage.number))
        return planned

    def _hand_out(self, planned: Planned) -> None:
        while self._free:
            seat = self._free.popleft()
            if seat.waiting is not None:
                seat.wake(planned)
                return
        self._backlog.append(planned)

    # --- Sessions ------------------------------------------------------------------------------------------
    async def _occupy(self, seat: Seat) -> None:
        pause = _FIRST_PAUSE
        while seat.wanted:
            if self.spent:
                # Nothing would be sent: it would only be opened and closed.
                seat.waiting = asyncio.get_running_loop().create_future()
                await seat.waiting
                continue
            number = self._numbers * self.job.scenario.processes + self.job.process
            self._numbers += 1
            place = Place(self.job.origin, self._phase(), number, process=self.job.process)
            session = await self._try(place)
            self._attempts += 1
            self._tried.set()
            if session is None:
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
                continue
            pause = _FIRST_PAUSE
            seat.session = session
            session.on_over = seat.wake
            await self._use(seat, session, number)
            await self._leave(session, place)
            seat.session = None

    def _phase(self) -> Phase:
        """Sessions are opened before anything is measured; their start is a figure all the same."""
        ramp = self.job.scenario.ramp
        return "ramp" if ramp is not None and ramp.search else "run"

    async def _try(self, place: Place) -> Session | None:
        """Open a session, or note that the server would not."""
        session = Session(self._dialect)
        session.asked_at = time.perf_counter()
        try:
            await session.open(self.job.url, deflate=self.job.scenario.compression, patience=_OPENING)
            await session.start(_OPENING)
        except Refused as refused:
            self.refusal = str(refused)
            session.drop()
            self.rows += exchanges.of_start(session, place)
            self._refuse()
            return None
        self.rows += exchanges.of_start(session, place)
        self.opened += 1
        return session

    def _refuse(self) -> None:
        """No session can be had: what is planned is refused."""
        if self.connected:
            return
        if not self._is_open_loop and self._stage.rate and not self.spent:
            self._plan(time.perf_counter()).message.abandon(REFUSED)
        while self._backlog:
            self._backlog.popleft().message.abandon(REFUSED)

    async def _use(self, seat: Seat, session: Session, number: int) -> None:
        """Send what is due until the session is lost, used up or not wanted."""
        turns = self.job.scenario.turns
        while seat.wanted and session.is_open and (not turns or session.turns < turns):
            planned = await self._next(seat, session)
            if planned is None:
                continue
            await self._exchange(session, planned, number)
            self.dialect = session.conversation.traits.name
            self.stranger = self.stranger or session.conversation.stranger
            if planned.message.outcome in (CLIENT_TIMEOUT, DISCONNECTED):
                session.drop()

    async def _next(self, seat: Seat, session: Session) -> Planned | None:
        """The next message for a session; None when it is to look around first."""
        if self._is_open_loop:
            if self._backlog:
                return self._backlog.popleft()
            self._free.append(seat)
        elif self._stage.rate and not self.spent:
            wait = session.turns > 0 and self.job.scenario.think
            if not wait or not await self._woken(seat, self.job.scenario.think):
                return self._plan(time.perf_counter()) if session.is_open and self._stage.rate else None
            return None
        seat.waiting = asyncio.get_running_loop().create_future()
        return await seat.waiting

    async def _woken(self, seat: Seat, seconds: float) -> bool:
        """Think for so long; returns whether something came up."""
        seat.waiting = asyncio.get_running_loop().create_future()
        done, _ = await asyncio.wait([seat.waiting], timeout=seconds)
        seat.waiting = None
        return bool(done)

    async def _exchange(self, session: Session, planned: Planned, number: int) -> None:
        message = planned.message
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[None] = loop.create_future()
        self._open[planned.number] = planned

        def end(message: Message) -> None:
            self._ended(planned, number)
            if not ended.done():
                ended.set_result(None)

        message.on_end = end
        left = message.planned + self.job.scenario.patience - time.perf_counter()
        timer = loop.call_later(max(0.0, left), message.abandon, CLIENT_TIMEOUT)
        session.send(planned.prompt.text, message)
        await ended
        timer.cancel()

    async def _leave(self, session: Session, place: Place) -> None:
        if session.is_open and self.job.scenario.stop:
            await session.stop()
        else:
            await session.close()
        self.rows += exchanges.of_end(session, place)

    def _ended(self, planned: Planned, session: int = -1) -> None:
        """A message is over: note what it came to."""
        self._open.pop(planned.number, None)
        self._told.discard(planned.number)
        message, stage = planned.message, planned.stage
        if not self.waiting:
            self._idle.set()
        self.done += 1
        self.errors += message.outcome != "ok"
        place = Place(self.job.origin, stage.phase, session, planned.number, planned.prompt.name, self.job.process)
        self.rows += exchanges.of_message(message, place, expects_timeout=planned.prompt.expects == AI_TIMEOUT)
        first = message.first_chunk - message.planned if message.first_chunk else None
        self.events.append(("ended", planned.number, [message.outcome, first]))
        if stage.phase != "warmup":
            for gap in message.gaps if message.knows_stream else ():
                histograms.record(self.gaps, gap)
