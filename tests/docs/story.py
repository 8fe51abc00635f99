"""Runs the command blocks of one page as a reader would: in one folder, one shell after another, one server at a time.

What a page says of a server is done with the stand-in: `python -m interactive_server.main` starts it, and once it
listens a client holds a conversation with it. Its port stands for 8000 and a receiver of OTLP for port 4318.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Final

from tests.ailoop.client import connected
from tests.ailoop.process import LOOPBACK, STATELESS, free_port, standin
from tests.ailoop.provider import Provider
from tests.docs.pages import Block, begins_with_recording, files
from tests.docs.record import RECORDING
from tests.replay.receiver import Receiver, Reply

_SHELL: Final = "bash"
_PATIENCE: Final = 20.0  # seconds
_BLOCK: Final = 120.0  # seconds
_PYTHON: Final = """#!/bin/sh
if [ "$1 $2" = "-m interactive_server.main" ]; then
  shift 2
  exec {python} -m interactive_server.main --port {port} "$@"
fi
exec {python} "$@"
"""


class Story:
    """A context manager; `run` runs the next block and returns its exit code and its output."""

    def __init__(self, text: str, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self._text = text
        self._server: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Story:
        self._stack = ExitStack()
        self._provider = self._stack.enter_context(Provider())
        self._collector = Receiver()
        self._stack.callback(self._collector.close)
        self._collector.always = Reply(200, b"", {})
        for name, content in files(self._text).items():
            (self.folder / name).write_text(content, encoding="utf-8")
        if begins_with_recording(self._text):
            self._record()
        programs = self.folder / ".bin"
        programs.mkdir()
        shim = programs / "python"
        shim.write_text(_PYTHON.format(python=sys.executable, port=self.port))
        shim.chmod(0o755)
        self._state = programs / "state"
        self._state.write_text("")
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "AILOOP_"))},
            **self._provider.plain_environment(),
            "PATH": os.pathsep.join([str(programs), str(Path(sys.executable).parent), os.environ["PATH"]]),
            "PYTHONPATH": str(standin(STATELESS).root),
            "HOME": str(programs),
            "COLUMNS": "100",
            "TZ": "UTC",
            "TERM": "dumb",
        }
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()
        self._stack.close()

    def run(self, block: Block) -> tuple[int, str]:
        """Run a block; a server that its last line starts goes on until the next one starts or the page ends."""
        if block.recording:
            self._record()
        lines = block.commands.rstrip("\n").split("\n")
        server = lines.pop() if "interactive_server.main" in lines[-1] and "--start" not in lines[-1] else ""
        if "--start" in block.commands:
            self._stop()
        if block.shortened:
            lines[-1] = f"{lines[-1].partition('  #')[0]} {block.shortened}"
        code, output = self._shell("\n".join(lines)) if lines else (0, "")
        if server and code == 0:
            self._start(server)
        output = output.replace(self._collector.url, f"http://{LOOPBACK}:4318")
        return code, output.replace(f"{LOOPBACK}:{self.port}", f"{LOOPBACK}:8000")

    def _record(self) -> None:
        shutil.copytree(RECORDING, self.folder / "ailoop-telemetry", dirs_exist_ok=True)

    def _shell(self, commands: str) -> tuple[int, str]:
        done = subprocess.run(
            [_SHELL, "-euo", "pipefail", "-c", self._script(commands)],
            cwd=self.folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_BLOCK,
            check=False,
        )
        return done.returncode, done.stdout.decode(errors="replace")

    def _script(self, commands: str) -> str:
        """The commands after what earlier blocks have exported, with the addresses of this run."""
        lines = []
        for line in commands.replace(f"{LOOPBACK}:4318", self._collector.url.removeprefix("http://")).split("\n"):
            measures = line.strip().startswith(("ailoop-otel measure", "ailoop-otel ab"))
            lines.append(f"{line.partition('  #')[0]} --url ws://{LOOPBACK}:8000/ws" if measures else line)
        here = "\n".join(lines).replace(f"{LOOPBACK}:8000", f"{LOOPBACK}:{self.port}")
        return f"set +u; . {self._state}; set -u; trap 'export -p > {self._state}' EXIT\n{here}"

    def _start(self, line: str) -> None:
        self._stop()
        log = self._stack.enter_context((self.folder / ".bin" / "log").open("wb"))
        self._server = subprocess.Popen(
            [_SHELL, "-c", f"{self._script('true')}\nexec env {line}"],
            cwd=self.folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        asyncio.run(self._talk())

    async def _talk(self) -> None:
        deadline = time.monotonic() + _PATIENCE
        while True:
            with suppress(OSError):
                async with connected(self.port, STATELESS) as client:
                    await client.start_session()
                    for turn in range(3):
                        await client.ask(f"turn {turn} [[say chunks=8 delay=0.1 gap=0.02]]")
                    await client.stop_session()
                break
            assert self._server is not None
            if self._server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((self.folder / ".bin" / "log").read_text(errors="replace"))
            await asyncio.sleep(0.05)
        while not list(self.folder.glob("ailoop-telemetry/traces-*.jsonl")) and "/v1/traces" not in self._collected():
            if time.monotonic() > deadline:
                return  # a page may start a server without telemetry
            await asyncio.sleep(0.1)

    def _collected(self) -> set[str]:
        return {asked.path for asked in self._collector.asked}

    def _stop(self) -> None:
        if self._server is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(self._server.pid, signal.SIGTERM)
        try:
            self._server.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self._server.pid, signal.SIGKILL)
            self._server.wait(10)
        self._server = None
