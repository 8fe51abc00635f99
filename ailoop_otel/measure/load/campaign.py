"""Run a scenario against a server, from the first session to the figures.

run = measure(scenario.load("mixed", ["duration=20"]), "ws://127.0.0.1:8000/ws", pid=server.pid)
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timezone
from statistics import fmean
from typing import Any, Final

from hdrh.histogram import HdrHistogram

from ailoop_otel.measure import Refusal
from ailoop_otel.measure.client.websocket import address
from ailoop_otel.measure.load import result
from ailoop_otel.measure.load.level import Level, SearchResult, needed_sessions, search
from ailoop_otel.measure.load.limits import check_limits
from ailoop_otel.measure.load.live import Followed, LiveFigures
from ailoop_otel.measure.load.plan import Segment
from ailoop_otel.measure.load.progress import Progress, ProgressListener
from ailoop_otel.measure.load.result import figures, steady_memory
from ailoop_otel.measure.load.scenario import OPEN, RATE, Ramp, Scenario
from ailoop_otel.measure.load.server import ResourceSampler
from ailoop_otel.measure.load.worker_pool import LoadProcess, WorkerPool
from ailoop_otel.measure.results import definitions, machine
from ailoop_otel.measure.results.observations import Phase
from ailoop_otel.measure.results.run import Context, Run, merged
from ailoop_otel.measure.verdict.validity import INTERRUPTED

_LEAD: Final = 0.05
_OPENING: Final = 60.0
_GRACE: Final = 15.0


class Interrupted(KeyboardInterrupt):
    """Ctrl-C; `run` holds what was measured until then."""

    def __init__(self, run: Run) -> None:
        super().__init__()
        self.run = run


def measure(
    scenario: Scenario,
    url: str,
    *,
    pid: int | None = None,
    server: dict[str, Any] | None = None,
    jaeger: str = "",
    progress: ProgressListener | None = None,
) -> Run:
    """Run a scenario against the server at an address.

    `pid` is the server's process on this machine, if its memory and CPU time are to be read; `server` describes the
    server in the report; `progress` receives the progress. Raises Refusal when no session can be had, Interrupted on
    Ctrl-C.
    """
    address(url)
    check_limits(scenario.most_sessions, scenario.processes)
    campaign = Campaign(scenario, url, pid, progress or ProgressListener())
    try:
        campaign.conduct()
    except KeyboardInterrupt:
        campaign.notes.append(INTERRUPTED)
        raise Interrupted(campaign.result(server or {}, jaeger)) from None
    return campaign.result(server or {}, jaeger)


class Campaign:
    """Conducts one run, segment after segment. Times are seconds of `time.perf_counter()`."""

    def __init__(self, scenario: Scenario, url: str, pid: int | None, progress: ProgressListener) -> None:
        self.scenario = scenario
        self.notes: list[str] = []
        self._url = url
        self._pid = pid
        self._progress = progress
        self._started_at = datetime.now(timezone.utc)
        self._origin = time.perf_counter()
        self._phase: Phase = "warmup"
        self._segments = 0
        self._levels: list[Level] = []
        self._live = LiveFigures(scenario.abort_on.seconds)
        self._aborted = ""
        self._own_limit = ""
        self._begun = self._ended = 0.0
        self._most_connected = 0
        self._held = 0.0
        self._found: SearchResult | None = None
        self._workers = WorkerPool(url, scenario, self._origin)
        self._sampler = ResourceSampler(self._origin, self._state, pid)

    # --- Conducting ----------------------------------------------------------------------------------------
    def conduct(self) -> None:
        """Open sessions, warm up, measure, finish; the load processes have ended afterwards."""
        scenario = self.scenario
        with self._workers, self._sampler:
            try:
                self._open(self._first_sessions())
                self._check_reached()
                if scenario.warmup:
                    self._segment("warmup", self._first_rate(), scenario.warmup, "warm-up")
                self._begun = time.perf_counter()
                self._live.clear(self._begun)
                if scenario.stages:
                    self._stages()
                elif scenario.ramp is None:
                    most = scenario.most_messages
                    self._segment("run", self._first_rate(), scenario.duration, scenario.name, most)
                else:
                    self._ramp(scenario.ramp)
                self._finish()
            finally:
                self._ended = self._ended or time.perf_counter()
                self._progress.take(self._workers.new_observations())

    def _first_sessions(self) -> int:
        ramp, recorded = self.scenario.ramp, self.scenario.recorded
        if recorded is not None:
            return recorded.opened_before
        return self.scenario.sessions if ramp is None or ramp.of == RATE else int(ramp.loads()[0])

    def _first_rate(self) -> float:
        """Messages per second at first; in a closed loop any rate but 0 means the same."""
        ramp = self.scenario.ramp
        if self.scenario.loop != OPEN:
            return 1.0
        return self.scenario.rate if ramp is None else ramp.messages_per_second(ramp.loads()[0])

    def _open(self, sessions: int) -> None:
        """Keep `sessions` sessions open."""
        self._workers.fill(sessions)
        self._wait(lambda: self._workers.filled, sessions / self.scenario.opening + _OPENING)

    def _check_reached(self) -> None:
        workers = self._workers
        self._wait(lambda: all(each.report for each in workers.processes), _OPENING)
        if not workers.total("opened"):
            own, reason = workers.reason("own_limit"), workers.reason("refusal") or "No answer"
            if own:
                raise Refusal(f"the load generator could open no session: {own}")
            raise Refusal(f"no session could be had at {self._url}, is the server running? {reason}")

    def _segment(self, phase: Phase, rate: float, seconds: float, name: str, most: int | None = None) -> int:
        """Run one segment to its end and return its number; with `most` messages, it ends early after them."""
        at = time.perf_counter() + _LEAD
        more: dict[str, Any] = {} if most is None else {"most": most}
        if phase == "hold":
            # Nothing comes after it: what the campaign is late by would be a higher load than is held.
            more["until"] = at + seconds
        segment = self._begin(phase, rate, at, **more)
        self._run(segment, name, at + seconds, bounded=most is not None)
        return segment.number

    def _begin(self, phase: Phase, rate: float, at: float, **more: Any) -> Segment:
        """Begin the next segment in all load processes; `more` are further fields of it."""
        self._segments += 1
        self._phase = phase
        segment = Segment(self._segments, phase, rate, at, **more)
        self._workers.begin(segment)
        return segment

    def _run(self, segment: Segment, name: str, until: float, *, bounded: bool) -> bool:
        """Run a segment until a time (`perf_counter`); returns whether it ended early, after its most messages."""
        self._progress.segment(name, until - segment.at)

        def ended() -> bool:
            """Whether a limit ends the run, or all messages of the segment were planned and have ended."""
            if not bounded:
                return False
            self._aborted = self._live.beyond(self.scenario.abort_on, time.perf_counter())
            exhausted = self._workers.exhausted(segment.number) and not self._workers.total("waiting")
            return bool(self._aborted) or exhausted

        early = self._wait(ended, until - time.perf_counter())
        self._ended = time.perf_counter()
        if early and self.scenario.loop == OPEN and self.scenario.recorded is None and not self._aborted:
            most = f"{segment.most:,} messages are the most that it may send (most_messages)"
            self.notes.append(f"It ended early: {most}.")
        return early

    def _stages(self) -> None:
        """Run the stages, each from the moment at which the one before ends."""
        at = time.perf_counter() + _LEAD
        end = at + self.scenario.duration
        rate, first = self._first_rate(), True
        for name, stage in zip(self.scenario.stage_names(), self.scenario.stages, strict=True):
            end_rate = rate if stage.rate is None else stage.rate
            if stage.sessions is not None:
                self._workers.fill(stage.sessions, stage.seconds)
            if stage.seconds and at < end:
                more = {"most": self.scenario.most_messages, "end_rate": end_rate, "seconds": stage.seconds}
                segment = self._begin(name, rate, at, goes_on=not first, **more)
                at += stage.seconds
                last = at >= end or stage is self.scenario.stages[-1]
                if self._run(segment, name, min(at, end) - (0 if last else _LEAD), bounded=True):
                    return
                first = False
            rate = end_rate

    def _wait(self, reached: Callable[[], bool], seconds: float) -> bool:
        """Wait at most `seconds` until `reached` is true, and report the progress; returns whether it became true."""
        begun, workers = time.perf_counter(), self._workers

        def check() -> bool:
            now = time.perf_counter()
            self._live.take(workers.events(), now)
            connected, done, errors, waiting = map(workers.total, ("connected", "done", "errors", "waiting"))
            self._most_connected = max(self._most_connected, connected)
            p50, p95 = self._live.first_chunk(50), self._live.first_chunk(95)
            progress = Progress(connected, done, errors, waiting, self._live.rate(now), p50, p95)
            self._progress.update(now - begun, progress)
            self._progress.take(workers.new_observations())
            return reached()

        return workers.until(check, begun + seconds)

    def _finish(self) -> None:
        """Wait for the open messages and stop the sessions."""
        self._progress.segment("the last answers", self.scenario.patience)
        self._workers.end()
        patience = min(self.scenario.patience, _GRACE) if self._aborted else self.scenario.patience + _GRACE
        self._wait(lambda: self._workers.over, patience)

    # --- Levels --------------------------------------------------------------------------------------------
    def _ramp(self, ramp: Ramp) -> None:
        if ramp.search:
            found = search(ramp, lambda load: self._climb(ramp, load, "ramp"), lambda load: self._hold(ramp, load))
            if found.own:
                self._own_limit = found.reason
                self.notes.append(
                    f"{ramp.text(found.load)} were stable. How much more would be is not known, since the load "
                    f"generator could not put it on ({found.reason}): that is no figure of the server."
                )
            else:
                self._found = found
            return
        for load in ramp.loads():
            if not (level := self._climb(ramp, load, "run")).messages and level.own:
                self.notes.append(f"The time was up before {ramp.text(load)} were reached.")
                return

    def _climb(self, ramp: Ramp, load: float, phase: Phase) -> Level:
        if time.perf_counter() - self._begun > self.scenario.duration:
            return Level(load, 0, ramp.seconds, own="the time for the whole run (duration) was up")
        self._phase = "ramp" if ramp.search else self._phase
        before = self._levels[-1] if self._levels else None
        sessions = self._sessions(ramp, load, before.messages if before else self._live.of(1))
        level = self._level(ramp, Level(load, sessions, ramp.seconds), phase, ramp.text(load))
        needed = self._sessions(ramp, load, level.messages)
        if not level.own or needed <= sessions:
            return level
        # Its answers took longer than those of the level before: they need more sessions than it had.
        self._levels.pop()
        again = Level(load, needed, ramp.seconds)
        return self._level(ramp, again, phase, f"{ramp.text(load)} with {needed} sessions")

    def _hold(self, ramp: Ramp, load: float) -> Level:
        """Hold a level after the messages of the levels before have ended."""
        idle = self._begin("ramp", 0.0, time.perf_counter()).number
        workers = self._workers
        self._wait(lambda: workers.at(idle) and not workers.total("waiting"), self.scenario.patience)
        self._held = time.perf_counter()
        sessions = next(each.sessions for each in self._levels if each.load == load)
        level = Level(load, sessions, self.scenario.stable.hold, held=True)
        return self._level(ramp, level, "hold", f"holding {ramp.text(load)}")

    def _level(self, ramp: Ramp, level: Level, phase: Phase, name: str) -> Level:
        """Run a level and judge it.

        Load goes on until its last messages had as much time for their first chunk as its first messages.
        """
        stable, planned, workers = self.scenario.stable, self.scenario.loop == OPEN, self._workers
        self._open(level.sessions)
        rate = ramp.messages_per_second(level.load) if planned else 1.0
        reports = [len(each.busy) for each in workers.processes]
        number = self._segment(phase, rate, level.seconds, name)
        ended = self._ended
        level.messages = self._live.of(number)
        shares = (each.busy[begun:] or [0.0] for each, begun in zip(workers.processes, reports, strict=True))
        level.busy = max(map(fmean, shares))
        level.connected, level.own_limit = self._connected(level), workers.reason("own_limit")
        if ramp.search:
            self._begin("ramp", rate, time.perf_counter())
            patience = max(stable.first_chunk_p95, stable.completion_p95 or 0.0)
            self._wait(lambda: not level.undecided(stable), patience)
            self._ended = ended
            level.connected = self._connected(level)
            level.judge(stable, planned=planned)
        self._levels.append(level)
        return level

    def _connected(self, level: Level) -> int:
        """How many sessions are connected, with those that are being replaced after their turns."""
        refused = self._workers.reason("refusal") or not self.scenario.turns
        return self._workers.total("connected") if refused else level.sessions

    def _sessions(self, ramp: Ramp, load: float, answers: Iterable[Followed]) -> int:
        """The sessions for a level: of a rate, as many as answers that take as long as those given need."""
        least = max((each.sessions for each in self._levels), default=self.scenario.sessions)
        return max(least, needed_sessions(load, answers)) if ramp.of == RATE else int(load)

    def _state(self) -> tuple[Phase, int, int]:
        """Phase, sessions connected and sessions opened so far, for the sampler's thread."""
        return self._phase, self._workers.total("connected"), self._workers.total("opened")

    # --- The result ----------------------------------------------------------------------------------------
    def result(self, server: dict[str, Any], jaeger: str) -> Run:
        """The run; to be called when the load processes have ended."""
        parts = [Run(_NO_CONTEXT, self._sampler.observations)]
        parts += [Run(_NO_CONTEXT, each.observations, _histograms(each)) for each in self._workers.processes]
        rows = merged(_NO_CONTEXT, parts)
        held = self._held - self._origin
        observations = [
            row._replace(phase="ramp") if row.phase == "hold" and row.at < held else row for row in rows.observations
        ]
        run = Run(_NO_CONTEXT, [*observations], rows.histograms)
        end = max(0.0, self._ended - self._origin)
        begun = self._begun - self._origin if self._begun else math.inf
        made = list(figures(run, self.scenario, self._sampler.by_opened, self._found, end))
        observations += made
        self.notes += self._notes(run)
        for row in made:
            if row.metric == definitions.MEMORY_GROWTH.name:
                self.notes += result.growth_notes(row.value, steady_memory(run, self.scenario))
        context = Context(
            scenario=self.scenario.name,
            started_at=self._started_at.isoformat(timespec="seconds"),
            duration=max(0.0, self._ended - self._begun) if self._begun else 0.0,
            machine=machine.fingerprint(),
            versions=machine.versions(),
            settings=self._settings(),
            server={
                "url": self._url, "dialect": self._workers.reason("dialect"), "pid": self._pid,
                "started_by_us": False, "instrumented": False, **server,
            },
            load={
                **dict(result.delivered(run, self.scenario, self._workers, self._most_connected, begun)),
                **({"server_ended": True} if self._sampler.lost else {}),
                **({"aborted": self._aborted} if self._aborted else {}),
                **({"not_put_on": self._own_limit} if self._own_limit else {}),
            },
            levels=tuple(result.level_figures(self._levels, self.scenario)),
            notes=tuple(self.notes),
            jaeger=jaeger,
        )  # fmt: skip
        return Run(context, sorted(observations, key=lambda row: row.at), rows.histograms)

    def _settings(self) -> dict[str, Any]:
        """The scenario's settings, with the outcomes that its messages expect, which the verdict needs."""
        messages = (each for kind in self.scenario.user_kinds() for each in kind.messages)
        expects = sorted({each.expects for each in messages if each.expects})
        return self.scenario.settings() | ({"expects": expects} if expects else {})

    def _notes(self, run: Run) -> Iterator[str]:
        yield from result.recorded_notes(self.scenario)
        recorded = self.scenario.recorded is not None
        yield from result.generator_notes(run, self._workers.processes, recorded=recorded)
        yield from result.stage_notes(run, self.scenario)
        yield from result.server_notes(self._pid, lost=self._sampler.lost)
        if self._found is not None and self.scenario.ramp is not None:
            yield from result.search_notes(self._found, self.scenario.ramp, self.scenario.stable)


def _histograms(process: LoadProcess) -> dict[str, HdrHistogram]:
    return {definitions.CHUNK_GAP.name: process.gaps} if process.gaps.get_total_count() else {}


_NO_CONTEXT: Final = Context("")
