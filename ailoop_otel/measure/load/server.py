"""The server's process: started for a run and stopped after it; its memory and CPU time."""

from __future__ import annotations

import os
import shlex
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from ailoop_otel.measure import Refusal
from ailoop_otel.measure.client.websocket import address
from ailoop_otel.measure.results import definitions
from ailoop_otel.measure.results.observations import Observation, Phase, observed
from ailoop_otel.names import SETTING_DIRECTORY, SETTING_ENABLED, SETTING_TRUST_CLIENT

LOG: Final = "server.log"
TELEMETRY: Final = "telemetry"
INTERVAL: Final = 0.5
"""Seconds between two samples of memory and CPU."""
_STARTING: Final = 60.0
_STOPPING: Final = 15.0
_POLL: Final = 0.05
_LAST_LINES: Final = 5


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A started server: its process id, the file with its output, and the directory of its telemetry, if any."""

    pid: int
    log: Path
    telemetry: Path | None

    @property
    def facts(self) -> dict[str, bool]:
        """What a run's context says of it."""
        return {"started_by_us": True, "instrumented": self.telemetry is not None}


@contextmanager
def running_server(
    command: str, url: str, directory: Path, *, instrument: bool = True, patience: float = _STARTING
) -> Iterator[RunningServer]:
    """Run a server within the context; it has `patience` seconds to listen on the port of `url`.

    With `instrument` it is instrumented, and continues the traces of its clients. Its output goes to `server.log` in
    the directory, its telemetry into `telemetry` beside it. Raises Refusal for a command that cannot be run, for a port
    that is in use, and for a server that does not listen in time.
    """
    arguments = _arguments(command)
    uri = address(url)
    if _listens(uri.host, uri.port):
        raise Refusal(f"something listens on {uri.host}:{uri.port} already; stop it, or leave out --start")
    directory.mkdir(parents=True, exist_ok=True)
    log, telemetry = directory / LOG, directory / TELEMETRY
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", SETTING_ENABLED.name: "true" if instrument else "false"}
    if instrument:
        environment |= {SETTING_DIRECTORY.name: str(telemetry.resolve()), SETTING_TRUST_CLIENT.name: "true"}
    process = _run(arguments, log, environment)
    try:
        _await(process, uri.host, uri.port, log, patience)
        yield RunningServer(process.pid, log, telemetry if instrument else None)
    finally:
        stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """Stop a process and its children: SIGTERM, then SIGKILL for those that still run after `_STOPPING` seconds."""
    members: list[psutil.Process] = []
    with suppress(psutil.NoSuchProcess):
        members = _members(psutil.Process(process.pid))
    for member in members:
        with suppress(psutil.Error):
            member.terminate()
    _, alive = psutil.wait_procs(members, timeout=_STOPPING)
    for member in alive:
        with suppress(psutil.Error):
            member.kill()
    process.wait()


def _members(root: psutil.Process) -> list[psutil.Process]:
    """A process and its children; none where it has ended."""
    with suppress(psutil.Error):
        return [root, *root.children(recursive=True)]
    return []


def _arguments(command: str) -> list[str]:
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise Refusal(f"--start: {error} in {command!r}; put quotes around the whole command once") from None
    if not words:
        raise Refusal("--start is empty; give the command that starts the server")
    return words


def _run(words: list[str], log: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    try:
        with log.open("wb") as output:
            return subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=environment,
                # Ctrl-C at the terminal must not reach the server: the load test ends first and then stops it.
                start_new_session=True,
            )  # fmt: skip
    except FileNotFoundError:
        raise Refusal(f"--start: there is no command {words[0]}; give its path, or activate its environment") from None
    except OSError as error:
        raise Refusal(f"--start: {words[0]} cannot be run: {error.strerror}") from error


def _await(process: subprocess.Popen[bytes], host: str, port: int, log: Path, patience: float) -> None:
    deadline = time.monotonic() + patience
    while not _listens(host, port):
        if process.poll() is not None:
            raise Refusal(f"the server ended with {process.returncode} before it listened; {_last_lines(log)}")
        if time.monotonic() > deadline:
            raise Refusal(f"the server does not listen on {host}:{port} after {patience:g} s; {_last_lines(log)}")
        time.sleep(_POLL)


def _last_lines(log: Path) -> str:
    with suppress(OSError):
        lines = log.read_text(errors="replace").strip().splitlines()
        if lines:
            last = " / ".join(line.strip() for line in lines[-_LAST_LINES:])
            return f"its last words, all of them in {log}: {last}"
    return f"it said nothing in {log}"


def _listens(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True


class ProcessTree:
    """A process and its children; raises Refusal where there is no such process, or no permission to read it."""

    def __init__(self, pid: int) -> None:
        self._ended = 0.0  # CPU time of children that have ended, in seconds
        self._times: dict[int, float] = {}
        try:
            self._root = psutil.Process(pid)
            self._root.memory_info()
        except psutil.NoSuchProcess:
            raise Refusal(f"there is no process {pid}; give the server's own process id by --pid") from None
        except psutil.AccessDenied:
            raise Refusal(f"process {pid} is another user's; measure as the user that runs the server") from None

    def read(self) -> tuple[int, float] | None:
        """Resident memory in bytes and CPU time in seconds since the start; None when the process has ended."""
        memory, times = 0, dict[int, float]()
        for member in _members(self._root):
            with suppress(psutil.Error):
                used, resident = member.cpu_times(), member.memory_info().rss
                if member.status() != psutil.STATUS_ZOMBIE:
                    memory += resident
                    times[member.pid] = used.user + used.system
        if self._root.pid not in times:
            return None
        self._ended += sum(seconds for pid, seconds in self._times.items() if pid not in times)
        self._times = times
        return memory, self._ended + sum(times.values())


class ResourceSampler:
    """Samples sessions, memory and CPU of the server every `INTERVAL` seconds, in its own thread.

    `state` returns the phase, the number of connected sessions and the number of sessions opened so far. `by_opened`
    holds pairs of the latter and the memory in bytes, without the warm-up.
    """

    def __init__(self, origin: float, state: Callable[[], tuple[Phase, int, int]], pid: int | None) -> None:
        self._origin = origin
        self._state = state
        self._tree = ProcessTree(pid) if pid is not None else None
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ailoop-otel-sampler", daemon=True)
        self._before: tuple[float, float] | None = None
        self.observations: list[Observation] = []
        self.by_opened: list[tuple[int, int]] = []
        self.lost = False
        """Whether the server's process ended while it was sampled."""

    def __enter__(self) -> ResourceSampler:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stopped.set()
        self._thread.join()
        # It may have ended after the last sample.
        self.lost = self.lost or (self._tree is not None and self._tree.read() is None)

    def _run(self) -> None:
        due = time.perf_counter()
        while not self._stopped.is_set():
            self._sample()
            due = max(due + INTERVAL, time.perf_counter())
            self._stopped.wait(due - time.perf_counter())

    def _sample(self) -> None:
        phase, connected, opened = self._state()
        read = self._tree.read() if self._tree is not None else None
        now = time.perf_counter()
        at = now - self._origin
        self.observations.append(observed(definitions.SESSIONS, float(connected), at, phase=phase))
        if read is None:
            self.lost = self.lost or self._tree is not None
            return
        memory, used = read
        self.observations.append(observed(definitions.MEMORY, float(memory), at, phase=phase))
        if self._before is not None and now > self._before[0]:
            share = (used - self._before[1]) / (now - self._before[0])
            self.observations.append(observed(definitions.CPU, max(0.0, share), at, phase=phase))
        self._before = (now, used)
        if phase != "warmup":
            self.by_opened.append((opened, memory))
