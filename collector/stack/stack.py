"""The stack on one machine: a collector in front of Jaeger, and optionally Prometheus, each as a process."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Final
from urllib.parse import urlsplit

import psutil
import requests
import yaml

from collector.stack.executables import COLLECTOR, jaeger, prometheus
from collector.stack.ports import HOST, Ports, owner, url, variable

START: Final = 60.0  # seconds; at its first start Jaeger creates its storage
STOP: Final = 30.0  # seconds; a collector sends its queue first


class StartError(Exception):
    """A program did not start; the text has the end of its log."""


class Program:
    """One program as a process; `ports` are its own, by name.

    `health` is a URL that answers 200 when it is ready, or, as `tcp://…`, an address that accepts connections then.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        health: str,
        folder: Path,
        variables: Mapping[str, str],
        ports: Mapping[str, int] | None = None,
    ) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self._pid_file = folder / f"{name}.pid"
        self._command = list(command)
        self._health = health
        self._variables = variables
        self._ports = ports or {}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The id of its process, started here or by an earlier command; None if it does not run."""
        if self._process is not None:
            return self._process.pid if self._process.poll() is None else None
        return self._left_running()

    @property
    def usage(self) -> tuple[float, int]:
        """CPU time so far in seconds, and resident memory in bytes."""
        process = psutil.Process(self.pid)
        times = process.cpu_times()
        return times.user + times.system, process.memory_info().rss

    def start(self) -> None:
        """Start it without waiting until it is ready; raises StartError if something else has one of its ports."""
        for name, port in self._ports.items():
            if found := owner(port):
                raise StartError(
                    f"{self.name} is not started: its port {port} is {found}'s. "
                    f"Stop that, or set {variable(name)} to another port."
                )
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
        """Wait until it is ready, at most `timeout` seconds; raises StartError if it ends before or takes longer."""
        deadline = time.monotonic() + timeout
        while not self.healthy():
            if self.pid is None or time.monotonic() > deadline:
                self.stop()
                raise StartError(f"{self.name} did not start. The end of {self.log}:\n{self._log_end()}")
            time.sleep(0.1)

    def healthy(self) -> bool:
        """Whether it is ready."""
        address = urlsplit(self._health)
        try:
            if address.scheme == "tcp":
                socket.create_connection((address.hostname or HOST, address.port or 0), timeout=2).close()
                return True
            return requests.get(self._health, timeout=2).status_code == 200
        except OSError:
            return False

    def stop(self, number: int = signal.SIGTERM) -> None:
        """Send a signal and wait until the process has ended; kill it if it does not."""
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
            # The id may belong to another process by now.
            return int(pid) if abs(psutil.Process(int(pid)).create_time() - float(created)) < 1 else None
        except (OSError, ValueError, psutil.NoSuchProcess):
            return None

    def _log_end(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()
        return "\n".join(lines[-15:])


class Stack:
    """Collector, Jaeger and Prometheus with their data in one folder; a context manager that starts and stops them.

    `configuration` is that of the collector, `variables` are added to the environment of collector and Jaeger, `notify`
    prints a message.
    """

    def __init__(
        self,
        folder: Path,
        ports: Ports,
        *,
        with_prometheus: bool = True,
        configuration: Path = COLLECTOR / "collector.yaml",
        variables: Mapping[str, str] | None = None,
        notify: Callable[[str], None] = print,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.ports = ports
        self.folder = folder
        program = str(jaeger(notify))
        environment = {
            **ports.variables(),
            "JAEGER_DATA": str(folder / "jaeger"),
            "JAEGER_UI": str(COLLECTOR / "jaeger-ui.json"),
            **(variables or {}),
        }

        def made(name: str, configuration: Path, port: int, *prefixes: str) -> Program:
            command = [program, "--config", str(configuration)]
            own = {each: number for each, number in asdict(ports).items() if each.startswith(prefixes)}
            return Program(name, command, f"{url(port)}/status", folder, environment, own)

        self._notify = notify
        self.jaeger = made("jaeger", COLLECTOR / "jaeger.yaml", ports.jaeger_health, "jaeger_")
        self.collector = made("collector", configuration, ports.collector_health, "collector_", "otlp_")
        self.prometheus = _prometheus(folder, ports) if with_prometheus else None

    @property
    def programs(self) -> list[Program]:
        """All programs in the order in which they are started."""
        return [each for each in (self.jaeger, self.prometheus, self.collector) if each is not None]

    def start(self) -> None:
        """Start the programs that do not run yet and wait until all are ready; stops all if one raises StartError.

        Where Prometheus's port is somebody else's, the others are started without it, and a message says so.
        """
        idle = [program for program in self.programs if program.pid is None]
        try:
            for program in [program for program in idle if self._start(program)]:
                program.wait()
        except BaseException:
            self.stop()
            raise

    def _start(self, program: Program) -> bool:
        try:
            program.start()
        except StartError as error:
            if program is not self.prometheus:
                raise
            self.prometheus = None
            self._notify(str(error))
            return False
        return True

    def stop(self) -> None:
        """Stop all, the collector first, so that its queue is sent to Jaeger."""
        for program in reversed(self.programs):
            program.stop()

    def __enter__(self) -> Stack:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _prometheus(folder: Path, ports: Ports) -> Program:
    command = [
        str(prometheus()),
        f"--config.file={_scrape_configuration(folder, ports)}",
        f"--storage.tsdb.path={folder / 'prometheus'}",
        f"--web.listen-address={HOST}:{ports.prometheus}",
        "--enable-feature=exemplar-storage",
    ]
    own = {"prometheus": ports.prometheus}
    return Program("prometheus", command, f"{url(ports.prometheus)}/-/ready", folder, {}, own)


def _scrape_configuration(folder: Path, ports: Ports) -> Path:
    """Write the shipped configuration with this stack's ports, as Prometheus reads no environment variables."""
    shipped = COLLECTOR / "prometheus" / "prometheus.yaml"
    configuration = yaml.safe_load(shipped.read_text())
    moved = {f"{HOST}:{port}": f"{HOST}:{getattr(ports, name)}" for name, port in asdict(Ports()).items()}
    for job in configuration["scrape_configs"]:
        for group in job["static_configs"]:
            group["targets"] = [moved[target] for target in group["targets"]]
    configuration["rule_files"] = [str(shipped.parent / name) for name in configuration["rule_files"]]
    written = folder / "prometheus.yaml"
    written.write_text(yaml.safe_dump(configuration))
    return written
