"""Server processes: the stand-in or a checkout of the real server, with environment variables added.

    with serving(standin("stateless"), provider.plain_environment()) as server:      the stand-in
    with serving(checkout(path, python), provider.environment()) as server:          a real one
        server.port, server.dialect, server.pid
        server.output()                  all it wrote so far, stdout and stderr together
        server.stop()                    SIGTERM, then SIGKILL if it is not gone in 10 s; the return code
        server.stop(signal.SIGINT)       the same by another signal; server.kill() for `kill -9`
        server.alive

Leaving the context stops it in any case, by its pid. The environment is this process's own without its
`OTEL_*`, `AILOOP_*` and proxy variables, plus what is added. `wrapper=["opentelemetry-instrument"]` stands
before the command, `arguments` after it, `folder` is another working directory than the root. The process has
a session of its own: a Ctrl-C at the terminal is not its signal too.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

LOOPBACK = "127.0.0.1"
STATELESS, DELEGATES = "stateless", "delegates"
# A stand-in of no generation: it replies as the one and streams as the other.
MIXED = "mixed"


@dataclass(frozen=True)
class Installation:
    """Something that can be started: its root folder, its generation, and the command up to the port.

    Where the port is not the last word, `{port}` stands for it.
    """

    root: Path
    dialect: str
    command: tuple[str, ...]


def standin(dialect: str, python: str = sys.executable) -> Installation:
    """Return the stand-in of a generation, or the one of mixed traits."""
    root = Path(__file__).parent / dialect
    return Installation(root, dialect, (python, "-m", "interactive_server.main", "--port"))


def checkout(root: Path | str, python: str = sys.executable) -> Installation:
    """Return the real server in a checkout, of the generation that its files show."""
    root = Path(root).resolve()
    if (root / "interactive_server" / "stateless_session_manager.py").exists():
        return Installation(root, STATELESS, (python, "-m", "interactive_server.main", "--port"))
    # The earlier generation's own entry point has a fixed port.
    command = (python, "-m", "uvicorn", "interactive_server.main:app", "--host", LOOPBACK, "--port")
    return Installation(root, DELEGATES, command)


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


@dataclass
class Server:
    """One server process; use `serving` to be sure that it ends."""

    installation: Installation
    environment: Mapping[str, str] = field(default_factory=dict)
    arguments: Sequence[str] = ()
    wrapper: Sequence[str] = ()
    folder: Path | None = None
    port: int = field(default_factory=free_port)

    @property
    def dialect(self) -> str:
        """The dialect that it speaks."""
        return self.installation.dialect

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def start(self, timeout: float = 120.0) -> Server:
        """Start it and wait until it accepts connections; RuntimeError with its output if it does not."""
        self._log = tempfile.TemporaryFile("w+b")  # noqa: SIM115 - it lives as long as the process
        self._process = subprocess.Popen(
            [*self.wrapper, *self._command(), *self.arguments],
            cwd=self.folder or self.installation.root,
            env=self._variables(),
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        deadline = time.monotonic() + timeout
        while not self._accepts():
            if not self.alive or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"the server never accepted a connection:\n{self.output()}")
            time.sleep(0.02)
        return self

    def stop(self, number: int = signal.SIGTERM, timeout: float = 10.0) -> int:
        """Send a signal and wait; a process that outlives the timeout is killed. Return its return code."""
        if self.alive:
            self._process.send_signal(number)
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return self.kill()

    def kill(self) -> int:
        """End it by SIGKILL and return its return code."""
        if self.alive:
            self._process.kill()
        return self._process.wait(10)

    def wait(self, timeout: float = 10.0) -> int:
        """Wait until it ends by itself and return its return code."""
        return self._process.wait(timeout)

    def output(self) -> str:
        """Return all it wrote so far."""
        size = os.fstat(self._log.fileno()).st_size
        return os.pread(self._log.fileno(), size, 0).decode(errors="replace")

    def __enter__(self) -> Server:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._log.close()

    def _command(self) -> list[str]:
        command = self.installation.command
        if any("{port}" in word for word in command):
            return [word.replace("{port}", str(self.port)) for word in command]
        return [*command, str(self.port)]

    def _accepts(self) -> bool:
        try:
            socket.create_connection((LOOPBACK, self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def _variables(self) -> dict[str, str]:
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("OTEL_", "AILOOP_")) and not name.lower().endswith("_proxy")
        }
        variables = {**inherited, "PYTHONUNBUFFERED": "1", **self.environment}
        if self.folder is not None:
            path = [str(self.installation.root), variables.get("PYTHONPATH", "")]
            variables["PYTHONPATH"] = os.pathsep.join(filter(None, path))
        return variables


@contextmanager
def serving(
    installation: Installation,
    environment: Mapping[str, str] | None = None,
    *,
    arguments: Sequence[str] = (),
    wrapper: Sequence[str] = (),
    folder: Path | None = None,
) -> Iterator[Server]:
    """Run a server while the context lasts."""
    with Server(installation, environment or {}, arguments, wrapper, folder) as server:
        yield server
