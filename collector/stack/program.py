"""One program as a process: started with its configuration, waited for, stopped by its pid."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import psutil
import requests

START: Final = 60.0  # seconds; the first start of Jaeger makes its store
STOP: Final = 30.0  # seconds; a collector empties its queue first


class Trouble(Exception):
    """A program that did not start, with the end of what it said."""


class Program:
    """One program; `health` is an address that answers 200 when it is ready."""

    def __init__(
        self, name: str, command: Sequence[str], health: str, folder: Path, variables: Mapping[str, str]
    ) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self._pid_file = folder / f"{name}.pid"
        self._command = list(command)
        self._health = health
        self._variables = variables
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Its process, started here or by an earlier command; None when it does not run."""
        if self._process is not None:
            return self._process.pid if self._process.poll() is None else None
        return self._left_running()

    @property
    def usage(self) -> tuple[float, int]:
        """CPU seconds so far, and resident memory in bytes."""
        process = psutil.Process(self.pid)
        times = process.cpu_times()
        return times.user + times.system, process.memory_info().rss

    def start(self) -> None:
        """Start it and return at once; `wait` waits until it is ready. Raises Trouble if its place is taken."""
        if self.healthy():
            raise Trouble(f"Something else answers at {self._health} already. Stop that {self.name} first.")
        environment = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                env={**environment, **self._variables},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._pid_file.write_text(f"{self._process.pid} {psutil.Process(self._process.pid).create_time()}")

    def wait(self, timeout: float = START) -> None:
        """Wait until it is healthy; raises Trouble if it ends before, or never is."""
        deadline = time.monotonic() + timeout
        while not self.healthy():
            if self.pid is None or time.monotonic() > deadline:
                self.stop()
                raise Trouble(f"{self.name} did not start. The end of {self.log}:\n{self._said()}")
            time.sleep(0.1)

    def healthy(self) -> bool:
        """Whether it answers that it is ready."""
        try:
            return requests.get(self._health, timeout=2).status_code == 200
        except requests.RequestException:
            return False

    def stop(self, number: int = signal.SIGTERM) -> None:
        """Signal it and wait until it is gone; what does not go is killed."""
        pid = self.pid
        if pid is not None:
            process = self._process or psutil.Process(pid)
            process.send_signal(number)
            try:
                process.wait(STOP)
            except (psutil.TimeoutExpired, subprocess.TimeoutExpired):
                process.kill()
                process.wait(STOP)
        self._process = None
        self._pid_file.unlink(missing_ok=True)

    def _left_running(self) -> int | None:
        try:
            pid, created = self._pid_file.read_text().split()
            # The number may have been given to somebody else since.
            return int(pid) if abs(psutil.Process(int(pid)).create_time() - float(created)) < 1 else None
        except (OSError, ValueError, psutil.NoSuchProcess):
            return None

    def _said(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()
        return "\n".join(lines[-15:])
