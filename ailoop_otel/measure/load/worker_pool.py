"""The load processes, as the campaign sees them: orders out, what happened in."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from hdrh.histogram import HdrHistogram

from ailoop_otel.measure import Refusal
from ailoop_otel.measure.load.plan import Segment, share
from ailoop_otel.measure.load.scenario import Scenario
from ailoop_otel.measure.load.worker import packed
from ailoop_otel.measure.results.observations import Observation
from ailoop_otel.measure.statistics import histograms

_GRACE: Final = 10.0


class LoadProcess:
    """One of them: what it told last, and all that it observed."""

    def __init__(self, url: str, scenario: Scenario, number: int, origin: float, news: queue.SimpleQueue[int]) -> None:
        self.number = number
        self.observations: list[Observation] = []
        self.beat: dict[str, Any] = {}
        self.busy: list[float] = []
        """Its CPU time per second at each beat."""
        self.events: list[list[Any]] = []
        self.filled = -1
        self.over = False
        self.gaps: HdrHistogram | None = None
        self.lag: HdrHistogram | None = None
        self._news = news
        self._complaint = ""
        self._process = subprocess.Popen(
            [sys.executable, "-m", __package__ + ".worker"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8",
            # A Ctrl-C at the terminal is for the campaign, which ends its processes in good order.
            start_new_session=True, env=_environment(),
        )  # fmt: skip
        self.tell({"job": {"url": url, "scenario": packed(scenario), "process": number, "origin": origin}})
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def tell(self, order: dict[str, Any]) -> None:
        """Give an order; a process that is gone is found out by `over`."""
        stdin = self._process.stdin
        assert stdin is not None
        with suppress(OSError, ValueError):
            stdin.write(json.dumps(order) + "\n")
            stdin.flush()

    def close(self, patience: float) -> None:
        """Let it drop everything, and end it if it does not."""
        stdin = self._process.stdin
        assert stdin is not None
        with suppress(OSError, ValueError):
            stdin.close()
        try:
            self._process.wait(patience)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(patience)
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()

    @property
    def failed(self) -> str:
        """Why it ended before it was over; empty while all is well."""
        if self.over or self._process.poll() is None or self._reader.is_alive():
            return ""
        return self._complaint.strip().rpartition("\n")[2] or f"exit code {self._process.returncode}"

    def _read(self) -> None:
        stdout, stderr = self._process.stdout, self._process.stderr
        assert stdout is not None
        assert stderr is not None
        with suppress(ValueError):
            for line in stdout:
                self._take(json.loads(line))
                self._news.put(self.number)
            self._complaint = stderr.read()
        self._news.put(self.number)

    def _take(self, told: dict[str, Any]) -> None:
        if "rows" in told:
            self.observations.extend(Observation(*row) for row in told["rows"])
        elif "beat" in told:
            self.events.extend(told["beat"].pop("events"))
            self.beat = told["beat"]
            self.busy.append(self.beat["busy"])
        elif "filled" in told:
            self.filled = told["filled"]
        elif "over" in told:
            self.gaps = histograms.read(told["over"]["gaps"])
            self.lag = histograms.read(told["over"]["lag"])
            self.over = True


class WorkerPool:
    """All load processes of a run; a context manager that leaves none behind."""

    def __init__(self, url: str, scenario: Scenario, origin: float) -> None:
        self._scenario = scenario
        self._news: queue.SimpleQueue[int] = queue.SimpleQueue()
        self.processes = [
            LoadProcess(url, scenario, number, origin, self._news) for number in range(scenario.processes)
        ]

    def __enter__(self) -> WorkerPool:
        return self

    def __exit__(self, *exception: object) -> None:
        for each in self.processes:
            each.tell({"abort": True})
        for each in self.processes:
            each.close(_GRACE)

    def fill(self, sessions: int) -> None:
        """Have so many sessions over all processes; `filled` says when each was tried once."""
        for each in self.processes:
            each.tell({"fill": share(sessions, each.number, len(self.processes))})

    def filled(self, sessions: int) -> bool:
        """Whether all sessions of the latest `fill` were tried once."""
        count = len(self.processes)
        return all(each.filled == share(sessions, each.number, count) for each in self.processes)

    def begin(self, stage: Segment) -> None:
        """Let all plan as a stage says."""
        for each in self.processes:
            each.tell({"stage": dataclasses.asdict(stage)})

    def end(self) -> None:
        """Let all finish what is under way, and stop their sessions."""
        for each in self.processes:
            each.tell({"end": True})

    @property
    def over(self) -> bool:
        """Whether all are done."""
        return all(each.over for each in self.processes)

    def total(self, name: str) -> int:
        """The sum of what the processes told last."""
        return sum(each.beat.get(name, 0) for each in self.processes)

    def at(self, stage: int) -> bool:
        """Whether all have come to a stage."""
        return all(each.beat.get("stage") == stage for each in self.processes)

    def all_at(self, name: str, stage: int) -> bool:
        """Whether all are at a stage and told so last."""
        return self.at(stage) and all(each.beat.get(name, False) for each in self.processes)

    @property
    def dialect(self) -> str:
        """The server's dialect; empty until it is known."""
        return next((each.beat["dialect"] for each in self.processes if each.beat.get("dialect")), "")

    def events(self) -> list[list[Any]]:
        """What happened to single messages since the last call."""
        taken: list[list[Any]] = []
        for each in self.processes:
            events, each.events = each.events, []
            taken += events
        return taken

    def wait(self, seconds: float) -> None:
        """Wait until there is news, so long at most; Refusal if a process has failed."""
        with suppress(queue.Empty):
            self._news.get(timeout=max(0.0, seconds))
            while True:
                self._news.get_nowait()
        for each in self.processes:
            if each.failed:
                raise Refusal(f"load process {each.number} ended by itself: {each.failed}")

    def until(self, reached: Callable[[], bool], deadline: float = math.inf) -> bool:
        """Wait for something, until a moment of `perf_counter` at most; returns whether it came."""
        while not reached():
            left = deadline - time.perf_counter()
            if left <= 0:
                return False
            self.wait(min(left, 0.5))
        return True


def _environment() -> dict[str, str]:
    """The load processes are no server: nothing instruments them."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "AILOOP_"))}
