"""Run a scenario against a server, from the first session to the figures.

run = measure(scenario.load("mixed", ["duration=20"]), "ws://127.0.0.1:8000/ws", pid=server.pid)
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from typing import Any, Final

from ailoop_otel.measure import Refusal
from ailoop_otel.measure.client.websocket import address
from ailoop_otel.measure.load import result
from ailoop_otel.measure.load.limits import check_limits
from ailoop_otel.measure.load.live import LiveFigures, Progress
from ailoop_otel.measure.load.plan import Segment
from ailoop_otel.measure.load.progress import ProgressListener
from ailoop_otel.measure.load.ramp import Levels, SearchResult, levels, search
from ailoop_otel.measure.load.result import figures, steady_memory
from ailoop_otel.measure.load.scenario import OPEN, Scenario
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
        self._levels = Levels()
        self._live = LiveFigures(scenario.abort_on.seconds)
        self._aborted = ""
        self._begun = self._ended = 0.0
        self._most_connected = 0
        self._held = 0.0
        self._found: SearchResult | None = None
        self._workers: WorkerPool | None = None
        self._sampler = ResourceSampler(self._origin, self._state, pid)

    # --- Conducting ----------------------------------------------------------------------------------------
    def conduct(self) -> None:
        """Open sessions, warm up, measure, finish; the load processes have ended afterwards."""
        with WorkerPool(self._url, self.scenario, self._origin) as workers, self._sampler:
            self._workers = workers
            try:
                self._open(workers, self._first_level())
                self._check_reached(workers)
                if self.scenario.warmup:
                    self._segment(workers, "warmup", self._first_level(), self.scenario.warmup, "warm-up")
                self._begun = time.perf_counter()
                self._live.clear(self._begun)
                if self.scenario.stages:
                    self._stages(workers)
                elif self.scenario.ramp is None:
                    name = self.scenario.name
                    self._segment(workers, "run", self.scenario.sessions, self.scenario.duration, name, bounded=True)
                else:
                    self._ramp(workers)
                self._finish(workers)
            finally:
                self._ended = self._ended or time.perf_counter()
                self._progress.take(workers.new_observations())

    def _first_level(self) -> int:
        return self.scenario.ramp.start if self.scenario.ramp is not None else self.scenario.sessions

    def _open(self, workers: WorkerPool, sessions: int) -> None:
        """Keep `sessions` sessions open."""
        seconds = sessions / self.scenario.opening + _OPENING
        workers.fill(sessions)
        self._wait(workers, lambda: workers.filled(sessions), seconds)

    def _check_reached(self, workers: WorkerPool) -> None:
        self._wait(workers, lambda: all(each.beat for each in workers.processes), _OPENING)
        if not workers.total("opened"):
            own, reason = workers.reason("own_limit"), workers.reason("refusal") or "No answer"
            if own:
                raise Refusal(f"the load generator could open no session: {own}")
            raise Refusal(f"no session could be had at {self._url}, is the server running? {reason}")

    def _segment(
        self, workers: WorkerPool, phase: Phase, sessions: int, seconds: float, name: str, *, bounded: bool = False
    ) -> int:
        """Run one segment to its end and return its number; with `bounded`, it ends early after `most_messages`."""
        self._segments += 1
        at = time.perf_counter() + _LEAD
        most = self.scenario.most_messages if bounded else 10_000_000
        segment = Segment(self._segments, phase, self._rate(sessions), at, most)
        self._run(workers, segment, name, at + seconds, bounded=bounded)
        return segment.number

    def _run(self, workers: WorkerPool, segment: Segment, name: str, until: float, *, bounded: bool) -> bool:
        """Run a segment until a time (`perf_counter`); returns whether it ended early, after its most messages."""
        self._phase = segment.phase
        self._progress.segment(name, until - segment.at)
        workers.begin(segment)

        def ended() -> bool:
            """Whether a limit ends the run, or all messages of the segment were planned and have ended."""
            if bounded:
                self._aborted = self._live.beyond(self.scenario.abort_on, time.perf_counter())
            exhausted = bounded and workers.all_at("exhausted", segment.number) and not workers.total("waiting")
            return bool(self._aborted) or exhausted

        early = self._wait(workers, ended, until - time.perf_counter())
        self._ended = time.perf_counter()
        if early and self.scenario.loop == OPEN and not self._aborted:
            most = f"{segment.most:,} messages are the most that it may send (most_messages)"
            self.notes.append(f"It ended early: {most}.")
        return early

    def _stages(self, workers: WorkerPool) -> None:
        """Run the stages, each from the moment at which the one before ends."""
        at = time.perf_counter() + _LEAD
        end = at + self.scenario.duration
        rate, first = self._rate(self.scenario.sessions), True
        for name, stage in zip(self.scenario.stage_names(), self.scenario.stages, strict=True):
            end_rate = rate if stage.rate is None else stage.rate
            if stage.sessions is not None:
                workers.fill(stage.sessions, stage.seconds)
            if stage.seconds and at < end:
                self._segments += 1
                segment = Segment(
                    self._segments, name, rate, at, self.scenario.most_messages, end_rate, stage.seconds,
                    goes_on=not first,
                )  # fmt: skip
                at += stage.seconds
                last = at >= end or stage is self.scenario.stages[-1]
                if self._run(workers, segment, name, min(at, end) - (0 if last else _LEAD), bounded=True):
                    return
                first = False
            rate = end_rate

    def _rate(self, sessions: int) -> float:
        """Messages per second for a number of sessions; in a closed loop any rate but 0 means the same."""
        ramp = self.scenario.ramp
        if ramp is not None:
            return ramp.rate * sessions
        return self.scenario.rate if self.scenario.loop == OPEN else 1.0

    def _wait(self, workers: WorkerPool, reached: Callable[[], bool], seconds: float) -> bool:
        """Wait at most `seconds` until `reached` is true, and report the progress; returns whether it became true."""
        begun = time.perf_counter()

        def check() -> bool:
            events, now = workers.events(), time.perf_counter()
            self._levels.take(events)
            self._live.take(events, now)
            self._most_connected = max(self._most_connected, workers.total("connected"))
            self._progress.update(now - begun, self._state_of(workers, now))
            self._progress.take(workers.new_observations())
            return reached()

        return workers.until(check, begun + seconds)

    def _state_of(self, workers: WorkerPool, now: float) -> Progress:
        connected, done, errors, waiting = map(workers.total, ("connected", "done", "errors", "waiting"))
        p50, p95 = (self._live.first_chunk(percent) for percent in (50, 95))
        return Progress(connected, done, errors, waiting, self._live.rate(now), p50, p95)

    def _finish(self, workers: WorkerPool) -> None:
        """Wait for the open messages and stop the sessions."""
        self._progress.segment("the last answers", self.scenario.patience)
        workers.end()
        patience = min(self.scenario.patience, _GRACE) if self._aborted else self.scenario.patience + _GRACE
        self._wait(workers, lambda: workers.over, patience)

    # --- Levels --------------------------------------------------------------------------------------------
    def _ramp(self, workers: WorkerPool) -> None:
        ramp = self.scenario.ramp
        assert ramp is not None
        if ramp.search:
            found = search(ramp, lambda level: self._climb(workers, level), lambda level: self._hold(workers, level))
            if workers.reason("own_limit"):
                self.notes.append(
                    f"{found.sessions} sessions were stable. How many more would be is not known, since the load "
                    "generator could not open them: that is no figure of the server."
                )
            else:
                self._found = found
            return
        for level in levels(ramp):
            if self._out_of_time():
                self.notes.append(f"The time was up before {ramp.most} sessions were reached.")
                return
            self._open(workers, level)
            self._segment(workers, "run", level, ramp.seconds, f"{level} sessions")

    def _out_of_time(self) -> bool:
        return time.perf_counter() - self._begun > self.scenario.duration

    def _climb(self, workers: WorkerPool, level: int) -> str:
        ramp = self.scenario.ramp
        assert ramp is not None
        if self._out_of_time():
            return "the time for the whole run was up"
        self._phase = "ramp"
        self._open(workers, level)
        return self._level(workers, "ramp", level, ramp.seconds, f"{level} sessions")

    def _hold(self, workers: WorkerPool, level: int) -> str:
        """Hold a level after the messages of the levels before have ended."""
        self._phase = "ramp"
        self._open(workers, level)
        self._segments += 1
        workers.begin(Segment(self._segments, "ramp", 0.0, time.perf_counter()))
        number = self._segments
        self._wait(workers, lambda: workers.at(number) and not workers.total("waiting"), self.scenario.patience)
        self._held = time.perf_counter()
        return self._level(workers, "hold", level, self.scenario.stable.hold, f"holding {level} sessions")

    def _level(self, workers: WorkerPool, phase: Phase, level: int, seconds: float, name: str) -> str:
        """Run a level and return why it is not stable, or an empty text.

        Load goes on until its last messages had as much time for their first chunk as its first messages.
        """
        stable = self.scenario.stable
        number = self._segment(workers, phase, level, seconds, name)
        ended = self._ended
        self._phase = "ramp"
        self._segments += 1
        workers.begin(Segment(self._segments, "ramp", self._rate(level), time.perf_counter()))
        self._wait(workers, lambda: not self._levels[number].waiting, stable.first_chunk_p95)
        self._ended = ended
        return self._levels[number].instability(stable, workers.total("connected"), level)

    def _state(self) -> tuple[Phase, int, int]:
        """Phase, sessions connected and sessions opened so far, for the sampler's thread."""
        workers = self._workers
        if workers is None:
            return self._phase, 0, 0
        return self._phase, workers.total("connected"), workers.total("opened")

    # --- The result ----------------------------------------------------------------------------------------
    def result(self, server: dict[str, Any], jaeger: str) -> Run:
        """The run; to be called when the load processes have ended."""
        workers = self._workers
        processes = workers.processes if workers is not None else []
        gaps = [each.gaps for each in processes if each.gaps is not None]
        parts = [Run(_NO_CONTEXT, each.observations) for each in processes]
        parts.append(Run(_NO_CONTEXT, self._sampler.observations))
        parts += [Run(_NO_CONTEXT, [], {definitions.CHUNK_GAP.name: each}) for each in gaps if each.get_total_count()]
        rows = merged(_NO_CONTEXT, parts)
        held = self._held - self._origin
        observations = [
            row._replace(phase="ramp") if row.phase == "hold" and row.at < held else row for row in rows.observations
        ]
        run = Run(_NO_CONTEXT, [*observations], rows.histograms)
        end = max(0.0, self._ended - self._origin)
        made = list(figures(run, self.scenario, self._sampler.by_opened, self._found, end))
        observations += made
        self.notes += self._notes(run, processes)
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
                "url": self._url, "dialect": workers.reason("dialect") if workers is not None else "", "pid": self._pid,
                "started_by_us": False, "instrumented": False, **server,
            },
            load={
                **dict(result.delivered(run, self.scenario, processes, self._most_connected)),
                **({"aborted": self._aborted} if self._aborted else {}),
            },
            notes=tuple(self.notes),
            jaeger=jaeger,
        )  # fmt: skip
        return Run(context, sorted(observations, key=lambda row: row.at), rows.histograms)

    def _settings(self) -> dict[str, Any]:
        """The scenario's settings, with the outcomes that its messages expect, which the verdict needs."""
        messages = (each for kind in self.scenario.user_kinds() for each in kind.messages)
        expects = sorted({each.expects for each in messages if each.expects})
        return self.scenario.settings() | ({"expects": expects} if expects else {})

    def _notes(self, run: Run, processes: list[LoadProcess]) -> Iterator[str]:
        yield from result.generator_notes(run, processes)
        yield from result.stage_notes(run, self.scenario)
        yield from result.server_notes(self._pid, lost=self._sampler.lost)
        if self._found is not None and self.scenario.ramp is not None:
            yield from result.search_notes(self._found, self.scenario.ramp, self.scenario.stable)


_NO_CONTEXT: Final = Context("")
