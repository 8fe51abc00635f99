"""Spans with content end on time, with it or without, and delay nothing."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from ailoop_otel.guard import Guard
from ailoop_otel.recording.fast.spans import Promotion
from ailoop_otel.recording.spans import OwnTracerProvider, spans_of
from ailoop_otel.server.content.finishing import Redaction, SpanFinisher


def failing() -> dict[str, Any]:
    """Content that can't be formed, with the content in its exception."""
    raise ValueError("canary")


class Spans:
    """Spans to end, and those that were exported."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.tracer = provider.get_tracer("test")

    def end(self, finisher: SpanFinisher, form: Any) -> None:
        """Start one and have it ended in the year 2100."""
        finisher.end(self.tracer.start_span("x"), 4_102_444_800_000_000_000, form)

    @property
    def ended(self) -> list[tuple[dict[str, Any], int | None]]:
        """Attributes and end of each."""
        return [(dict(span.attributes or {}), span.end_time) for span in self.exporter.get_finished_spans()]


def test_a_span_ends_when_it_ended_whatever_happens_to_its_content(caplog: pytest.LogCaptureFixture) -> None:
    """With it, or without where forming it failed, which is logged once and without the content."""
    spans, finisher = Spans(), SpanFinisher(Guard(strict=True))
    spans.end(finisher, lambda: {"a": 1})
    for _ in range(3):
        spans.end(finisher, failing)
    finisher.drain(5)
    year = 4_102_444_800_000_000_000
    assert spans.ended == [({"a": 1}, year), ({}, year), ({}, year), ({}, year)]
    assert len(caplog.messages) == 1
    assert "canary" not in caplog.text
    finisher.stop(1)


def test_a_light_span_with_content_stays_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """It gets its content, its error and its status as without content: one of the SDK's would cost far more."""
    exporter = InMemorySpanExporter()
    spans = spans_of(OwnTracerProvider(Resource({}), [SimpleSpanProcessor(exporter)]))
    monkeypatch.setattr(Promotion, "promoted", lambda _, span: pytest.fail("another span was made"))
    finisher = SpanFinisher(Guard(strict=True), end_span=spans.end)
    finisher.end(spans.start("x", 1, {}), 2, lambda: {"a": "1"}, {"error.type": "500"}, error=True)
    finisher.drain(60)
    finisher.stop(60)
    [span] = exporter.get_finished_spans()
    assert (dict(span.attributes or {}), span.end_time) == ({"error.type": "500", "a": "1"}, 2)
    assert span.status.status_code is StatusCode.ERROR


def test_a_hook_that_hangs_holds_up_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """Handing over takes no time, what waits is bounded, and the end waits no longer than its timeout."""
    spans, finisher, let_go = Spans(), SpanFinisher(Guard(strict=True)), threading.Event()
    spans.end(finisher, lambda: let_go.wait(60) and {})
    for _ in range(600):
        spans.end(finisher, lambda: {"a": 1})
    assert len(spans.ended) == 89
    began = time.monotonic()
    finisher.drain(0.05)
    assert time.monotonic() - began < 30
    assert len(spans.ended) == 601
    let_go.set()
    finisher.stop(60)
    assert len(spans.ended) == 601
    assert len(caplog.messages) == 1


@pytest.mark.parametrize("kind", [asyncio.CancelledError, KeyboardInterrupt, SystemExit, GeneratorExit])
def test_whatever_a_hook_raises_the_next_span_has_its_content(
    kind: type[BaseException], caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Also what ends threads: it is one line with its class, and no word of the user's is printed."""

    def hook(_: str, text: str) -> str:
        if text == "canary":
            raise kind(text)
        return text

    guard = Guard(strict=True)
    redaction = Redaction(hook, guard)
    spans, finisher = Spans(), SpanFinisher(guard, redaction)
    for text in ("canary", "kept"):
        spans.end(finisher, lambda text=text: {"a": redaction("input", text)})
    finisher.drain(60)
    assert [attributes for attributes, _ in spans.ended] == [{}, {"a": "kept"}]
    (line,) = caplog.messages
    assert kind.__name__ in line
    assert "canary" not in line + "".join(capfd.readouterr())
    finisher.stop(60)


def test_a_call_that_takes_too_long_costs_its_own_span_the_content(caplog: pytest.LogCaptureFixture) -> None:
    """The span goes, one line says why, and after some such calls the hook is not called any more."""
    let_go, called = threading.Event(), threading.Semaphore(0)

    def hook(_: str, text: str) -> str:
        called.release()
        if text == "hang":
            let_go.wait(60)
        return text

    guard = Guard(strict=True)
    redaction = Redaction(hook, guard, limit=0.2, most=2)
    spans, finisher = Spans(), SpanFinisher(guard, redaction)
    for text in ("one", "hang", "two", "hang", "three"):
        spans.end(finisher, lambda text=text: {"a": redaction("input", text) + redaction("output", text)})
    finisher.drain(60)
    assert [attributes.get("a") for attributes, _ in spans.ended] == ["oneone", None, "twotwo", None, None]
    assert [line.split(": ")[1] for line in caplog.messages] == [
        "AILOOP_OTEL_REDACT took longer than 0.2 s",
        "AILOOP_OTEL_REDACT is not called any more",
    ]
    let_go.set()
    # The calls that were left come back, and are not followed by others for their span.
    assert [called.acquire(timeout=0) for _ in range(7)] == [*[True] * 6, False]
    finisher.stop(60)
