"""Telemetry that tests record, and what became of it."""

from __future__ import annotations

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
    return {path.name.split("-")[0]: path.read_text() for path in sorted(directory.iterdir())}
