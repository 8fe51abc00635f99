"""A directory of telemetry, and a console that draws into memory."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timezone
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
from rich.console import Console

from ailoop_otel.terminal import Terminal
from ailoop_otel.view.options import TracesOptions
from ailoop_otel.view.traces import show
from tests.view.sample import Sample, a_day

Drawn = Callable[..., str]


@contextmanager
def served(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """The address of a web server on a free port that answers as a handler does."""
    server = HTTPServer(("127.0.0.1", 0), handler)
    thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def day(tmp_path: Path) -> Path:
    """Files with every outcome, a hanging exchange and a resumed session."""
    directory = tmp_path / "telemetry"
    a_day(directory)
    return directory


@pytest.fixture
def sample(tmp_path: Path) -> Iterator[Sample]:
    """A process that writes files."""
    writer = Sample(tmp_path / "telemetry")
    yield writer
    writer.close()


@pytest.fixture
def drawn() -> Drawn:
    """What `traces` prints at a width, without colour and trailing blanks."""

    def draw(options: TracesOptions, width: int = 120) -> str:
        console = console_of(width)
        show(options, console, zone=timezone.utc)
        return written_on(console)

    return draw


def console_of(width: int, *, encoding: str = "utf-8") -> Console:
    """A console that is no terminal."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="plain", newline="")
    return Terminal(file=stream, width=width, legacy_windows=False, _environ={})


def written_on(console: Console) -> str:
    """What a console was given, without trailing blanks."""
    stream = console.file
    assert isinstance(stream, io.TextIOWrapper)
    stream.flush()
    buffer = stream.buffer
    assert isinstance(buffer, io.BytesIO)
    text = buffer.getvalue().decode()
    return "\n".join(line.rstrip() for line in text.splitlines())
