"""Telemetry that tests record, and what became of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from opentelemetry import _logs

from ailoop_otel.export.pipeline import Pipeline


def span(pipeline: Pipeline, name: str = "span") -> None:
    """A span that has ended."""
    pipeline.tracer_provider.get_tracer("test").start_span(name).end()


def record(pipeline: Pipeline) -> None:
    """One of each signal."""
    span(pipeline)
    pipeline.meter_provider.get_meter("test").create_counter("messages").add(1)
    pipeline.logger_provider.get_logger("test").emit(_logs.LogRecord(event_name="event"))


def written(directory: Path) -> dict[str, str]:
    """The text of each signal's files."""
    found: dict[str, str] = {}
    for path in sorted(directory.glob("*.jsonl")):
        kind = path.name.split("-")[0]
        found[kind] = found.get(kind, "") + path.read_text()
    return found


def wait_for(done: Callable[[], object], seconds: float = 20.0) -> None:
    """Look again until something is so, which comes from another thread."""
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.02)
