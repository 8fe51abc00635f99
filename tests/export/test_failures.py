"""Traces that are not sampled are exported whole if something in them failed, within a budget."""

from __future__ import annotations

import pytest
from opentelemetry.sdk.trace import ReadableSpan, Tracer, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, TraceFlags, set_span_in_context

from ailoop_otel import names
from ailoop_otel.export import failures
from ailoop_otel.export.failures import FailureProcessor
from ailoop_otel.recording.session_sampler import SessionSampler
from ailoop_otel.recording.spans import ERROR


class _Kept:
    """A provider that samples a `share` of the sessions, and what it exports; `now` is its clock, seconds."""

    def __init__(self, share: float = 0.0, budget: float = 60.0) -> None:
        self.now = 0.0
        self._exporter = InMemorySpanExporter()
        self.processor = FailureProcessor([SimpleSpanProcessor(self._exporter)], budget, lambda: self.now)
        provider = TracerProvider(SessionSampler(share), shutdown_on_exit=False)
        provider.add_span_processor(self.processor)
        self.tracer: Tracer = provider.get_tracer("test")

    @property
    def spans(self) -> list[ReadableSpan]:
        return list(self._exporter.get_finished_spans())

    @property
    def names(self) -> list[str]:
        return [span.name for span in self.spans]

    def start(self, name: str, above: Span | None = None) -> Span:
        return self.tracer.start_span(name, set_span_in_context(above) if above is not None else None)

    def message(self, *, failed: bool, stages: int = 2) -> None:
        root = self.start("message")
        for number in range(stages):
            stage = self.start(f"stage {number}", root)
            if failed and number == 0:
                stage.set_status(ERROR)
            stage.end()
        root.end()


def test_a_failed_trace_is_exported_whole() -> None:
    """All its spans, marked as sampled; its root says why it is there. One that went well is not exported."""
    kept = _Kept()
    kept.message(failed=False)
    assert kept.spans == []
    kept.message(failed=True)
    assert kept.names == ["stage 0", "stage 1", "message"]
    assert all(span.context is not None and span.context.trace_flags.sampled for span in kept.spans)
    reasons = [(span.attributes or {}).get(names.SAMPLING_REASON) for span in kept.spans]
    assert reasons == [None, None, "failure"]
    assert len({span.context.trace_id for span in kept.spans if span.context}) == 1


def test_a_sampled_trace_comes_as_it_is() -> None:
    """At once, span by span, and without the mark."""
    kept = _Kept(share=1.0)
    root = kept.start("message")
    kept.start("stage", root).end()
    assert kept.names == ["stage"]
    root.end()
    assert names.SAMPLING_REASON not in (kept.spans[-1].attributes or {})


def test_an_outage_does_not_undo_the_sampling() -> None:
    """So many failed traces a minute are exported; the budget comes back with time, and is never saved up."""
    kept = _Kept(budget=3)
    for _ in range(10):
        kept.message(failed=True, stages=1)
    assert kept.names.count("message") == 3
    kept.now = 20.0
    for _ in range(10):
        kept.message(failed=True, stages=1)
    assert kept.names.count("message") == 4
    kept.now = 3600.0
    for _ in range(10):
        kept.message(failed=True, stages=1)
    assert kept.names.count("message") == 7


@pytest.mark.parametrize("failed", [False, True])
def test_what_ends_after_its_root_is_decided_like_the_rest(failed: bool) -> None:
    """A tool that goes on when the answer is complete belongs to the trace that was exported, or was not."""
    kept = _Kept()
    root = kept.start("message")
    late = kept.start("tool", root)
    if failed:
        root.set_status(ERROR)
    root.end()
    late.end()
    assert kept.names == (["message", "tool"] if failed else [])


def test_a_root_below_a_clients_span_ends_its_trace() -> None:
    """Where clients are trusted the message has a parent, which never ends here."""
    kept = _Kept()
    client = NonRecordingSpan(SpanContext(1, 2, True, TraceFlags(0)))
    root = kept.start("message", client)
    root.set_status(ERROR)
    root.end()
    assert kept.names == ["message"]
    assert (kept.spans[0].attributes or {})[names.SAMPLING_REASON] == "failure"


def test_roots_that_never_end_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond a number of traces the oldest is forgotten, and beyond a number of spans a trace lacks the later ones."""
    monkeypatch.setattr(failures, "_MOST_TRACES", 10)
    monkeypatch.setattr(failures, "_MOST_SPANS", 5)
    kept = _Kept()
    roots = [kept.start("message") for _ in range(30)]
    for root in roots:
        for _ in range(8):
            kept.start("stage", root).end()
    for root in roots:
        root.set_status(ERROR)
        root.end()
    assert kept.names.count("message") == 30
    assert kept.names.count("stage") == 10 * 5


def test_it_flushes_and_shuts_down_what_is_behind_it() -> None:
    """What waits for its root is not exported by either."""
    kept = _Kept()
    root = kept.start("message")
    kept.start("stage", root).end()
    assert kept.processor.force_flush()
    kept.processor.shutdown()
    assert kept.spans == []
