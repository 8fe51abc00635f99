"""Every test of this room begins with an empty environment, no global providers and a folder of its own."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from opentelemetry import _logs, metrics, trace
from opentelemetry.util._once import Once

from ailoop_otel.export import spool
from ailoop_otel.export.notices import EXPORT_WARNINGS
from ailoop_otel.export.pipeline import Pipeline
from ailoop_otel.guard import Guard
from ailoop_otel.settings import Settings
from tests.export.collector import Collector
from tests.export.folder import Wall

Start = Callable[..., Pipeline]


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    for name in list(os.environ):
        if name.startswith(("OTEL_", "AILOOP_OTEL_")):
            monkeypatch.delenv(name)
    # OpenTelemetry has no way to take a global provider back, so its own memory is put aside.
    for module, provider in (
        (trace, "_TRACER_PROVIDER"),
        (metrics._internal, "_METER_PROVIDER"),
        (_logs._internal, "_LOGGER_PROVIDER"),
    ):
        monkeypatch.setattr(module, provider, None)
        monkeypatch.setattr(module, f"{provider}_SET_ONCE", Once())
    # What was kept is sent a second after the collector is back: tests need not wait for that.
    monkeypatch.setattr(spool, "_FIRST_PAUSE", 0.05)
    # A line that another test has logged is not logged again for a minute.
    EXPORT_WARNINGS.minute.begin()
    monkeypatch.chdir(tmp_path)
    yield
    EXPORT_WARNINGS.remove()


@pytest.fixture
def guard() -> Guard:
    """A barrier that raises what it catches."""
    return Guard(strict=True)


@pytest.fixture
def start(guard: Guard) -> Iterator[Start]:
    """Starts pipelines, and shuts them down after the test."""
    pipelines: list[Pipeline] = []

    def started(settings: Settings | None = None) -> Pipeline:
        pipelines.append(Pipeline.start(settings or Settings.from_environment(), guard))
        return pipelines[-1]

    yield started
    for pipeline in pipelines:
        pipeline.shutdown()


@pytest.fixture
def collector() -> Iterator[Collector]:
    """A real HTTP server that takes telemetry, until its `mode` is set otherwise.

    Ask for it before `start`, so that it outlives the pipelines.
    """
    running = Collector()
    yield running
    running.close()


@pytest.fixture
def wall() -> Wall:
    """A clock that begins now, as the files' own times do."""
    return Wall()


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """The lines in the server's log so far."""
    caplog.set_level(logging.WARNING)
    return lambda: [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
