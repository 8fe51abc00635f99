"""The load processes, seen from the campaign: it sends commands to them and receives their reports."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from ailoop_otel.measure import Refusal
from ailoop_otel.measure.load.plan import Segment, share
from ailoop_otel.measure.load.scenario import Scenario
from ailoop_otel.measure.results import histograms
from ailoop_otel.measure.results.observations import Observation

_GRACE: Final = 10.0


class LoadProcess:
    """One load process, with its last report and all its observations; `reported` is set by each report."""

    def __init__(self, url: str, scenario: Scenario, number: int, origin: float, reported: threading.Event) -> None:
        self.number = number
        self.observations: list[Observation] = []
        self._taken = 0  # how many of them `new_observations` has returned
        self.report: dict[str, Any] = {}
        self.busy: list[float] = []
        """CPU time per second, 1 is a core, in each report."""
        # The reader's thread adds while another takes: a list that is replaced would lose what comes meanwhile.
        self.events: deque[list[Any]] = deque()
        self.over = False
        self.gaps = histograms.histogram()
        self.late = 0.0
        """Seconds by which its event loop was late, p99."""
        self._reported = reported
        self._stderr = ""
        self._process = subprocess.Popen(
            [sys.executable, "-m", __package__ + ".worker"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8",
            # Ctrl-C at the terminal must not reach it: the campaign ends its load processes itself.
            start_new_session=True, env=_environment(),
        )  # fmt: skip
        job = {"url": url, "scenario": dataclasses.asdict(scenario), "process": number, "origin": origin}
        self.send({"job": job})
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def send(self, command: dict[str, Any]) -> None:
        """Send a command; that a process has ended shows in `failed`, not here."""
        stdin = self._process.stdin
        assert stdin is not None
        with suppress(OSError, ValueError):
            stdin.write(json.dumps(command) + "\n")
            stdin.flush()

    def close(self, patience: float) -> None:
        """Let the process cancel its work and end; kill it if it runs after `patience` seconds."""
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

    def new_observations(self) -> list[Observation]:
        """The observations that came since the last call."""
        new = self.observations[self._taken :]
        self._taken += len(new)
        return new

    @property
    def failed(self) -> str:
        """Why the process ended too early: the last line of its standard error; empty if it did not."""
        if self.over or self._process.poll() is None or self._reader.is_alive():
            return ""
        return self._stderr.strip().rpartition("\n")[2] or f"exit code {self._process.returncode}"

    def _read(self) -> None:
        stdout, stderr = self._process.stdout, self._process.stderr
        assert stdout is not None
        assert stderr is not None
        with suppress(ValueError):
            for line in stdout:
                self._take(json.loads(line))
                self._reported.set()
            self._stderr = stderr.read()
        self._reported.set()

    def _take(self, report: dict[str, Any]) -> None:
        if "gaps" in report:
            self.gaps, self.late, self.over = histograms.read(report["gaps"]), report["late"], True
            return
        self.observations.extend(Observation(*row) for row in report.pop("rows"))
        self.events.extend(report.pop("events"))
        self.busy.append(report["busy"])
        self.report = report


class WorkerPool:
    """All load processes of a run; a context manager that starts and ends them."""

    def __init__(self, url: str, scenario: Scenario, origin: float) -> None:
        self._job = url, scenario, origin
        self._wanted = 0
        self._reported = threading.Event()
        self.processes: list[LoadProcess] = []

    def __enter__(self) -> WorkerPool:
        url, scenario, origin = self._job
        for number in range(scenario.processes):
            self.processes.append(LoadProcess(url, scenario, number, origin, self._reported))
        return self

    def __exit__(self, *exception: object) -> None:
        for each in self.processes:
            each.send({"abort": True})
        for each in self.processes:
            each.close(_GRACE)

    def fill(self, sessions: int, seconds: float = 0.0) -> None:
        """Keep `sessions` sessions open over all processes; `filled` is true when each was attempted once.

        With `seconds` they are opened, or closed, evenly over so long.
        """
        self._wanted = sessions
        for each in self.processes:
            each.send({"fill": self._share(each), "seconds": seconds})

    @property
    def filled(self) -> bool:
        """Whether all sessions of the latest `fill` were attempted once."""
        return all(each.report.get("filled") == self._share(each) for each in self.processes)

    def _share(self, process: LoadProcess) -> int:
        return share(self._wanted, process.number, len(self.processes))

    def begin(self, segment: Segment) -> None:
        """Begin a segment in all processes."""
        for each in self.processes:
            each.send({"segment": dataclasses.asdict(segment)})

    def end(self) -> None:
        """Let all processes wait for their open messages and stop their sessions."""
        for each in self.processes:
            each.send({"end": True})

    @property
    def over(self) -> bool:
        """Whether all processes have ended their work."""
        return all(each.over for each in self.processes)

    def total(self, name: str) -> int:
        """The sum of one count in the last reports of all processes."""
        return sum(each.report.get(name, 0) for each in self.processes)

    def at(self, segment: int) -> bool:
        """Whether all processes have begun a segment."""
        return all(each.report.get("segment") == segment for each in self.processes)

    def exhausted(self, segment: int) -> bool:
        """Whether all processes have planned all messages of a segment."""
        return self.at(segment) and all(each.report["exhausted"] for each in self.processes)

    def reason(self, name: str) -> str:
        """The first text of this name in the last reports of all processes; empty if none has one."""
        return next((each.report[name] for each in self.processes if each.report.get(name)), "")

    def events(self) -> list[list[Any]]:
        """Return and clear the events of single messages."""
        taken: list[list[Any]] = []
        for each in self.processes:
            while each.events:
                taken.append(each.events.popleft())
        return taken

    def new_observations(self) -> list[Observation]:
        """The observations that came since the last call."""
        return [row for each in self.processes for row in each.new_observations()]

    def until(self, reached: Callable[[], bool], deadline: float) -> bool:
        """Wait until `reached` is true or until `deadline` (`perf_counter`); returns whether it became true.

        Raises Refusal if a process has ended too early.
        """
        while not reached():
            left = deadline - time.perf_counter()
            if left <= 0:
                return False
            self._reported.wait(min(left, 0.5))
            self._reported.clear()
            for each in self.processes:
                if each.failed:
                    raise Refusal(f"load process {each.number} ended by itself: {each.failed}")
        return True


def _environment() -> dict[str, str]:
    """The environment of a load process: without the variables that switch on instrumentation."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "AILOOP_"))}
