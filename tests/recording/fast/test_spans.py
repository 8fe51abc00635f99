"""Light spans: they read as the SDK's own, whatever is recorded on them, and give way where they would not do."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace import Span as SdkSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
    use_span,
)

from ailoop_otel.guard import Guard
from ailoop_otel.recording.deferred import DeferredWork
from ailoop_otel.recording.fast.spans import LightSpan, LightSpans, Promotion
from ailoop_otel.recording.spans import EMPTY, OwnTracerProvider, Spans, spans_of
from tests.recorder import CountingIds

RESOURCE = Resource({"service.name": "spans"})


class Pair:
    """The same calls on a light span and to one of the SDK's."""

    def __init__(self) -> None:
        self.light, self.sdk = InMemorySpanExporter(), InMemorySpanExporter()
        own = OwnTracerProvider(RESOURCE, [SimpleSpanProcessor(self.light)], CountingIds())
        theirs = TracerProvider(resource=RESOURCE, id_generator=CountingIds(), shutdown_on_exit=False)
        theirs.add_span_processor(SimpleSpanProcessor(self.sdk))
        self.recorders = (spans_of(own), spans_of(theirs))
        assert [type(each) for each in self.recorders] == [LightSpans, Spans]

    def record(self, what: Callable[[Spans], Any]) -> None:
        """Do it with both."""
        for recorder in self.recorders:
            what(recorder)

    def read(self) -> tuple[list[Any], list[Any]]:
        """All that can be read of what was exported."""
        return tuple([_read(span) for span in each.get_finished_spans()] for each in (self.light, self.sdk))  # type: ignore[return-value]


def _read(span: ReadableSpan) -> dict[str, Any]:
    return {
        "name": span.name,
        "context": span.context,
        "parent": span.parent,
        "kind": span.kind,
        "times": (span.start_time, span.end_time),
        "status": (span.status.status_code, span.status.description),
        "attributes": dict(span.attributes or {}),
        "events": [(event.name, dict(event.attributes or {}), event.timestamp) for event in span.events],
        "links": [(link.context, dict(link.attributes or {})) for link in span.links],
        "dropped": (span.dropped_attributes, span.dropped_events, span.dropped_links),
        "resource": span.resource,
        "scope": span.instrumentation_scope,
    }


PARENT = SpanContext(7, 8, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))
OTHERS = {
    "none": EMPTY,
    "remote": set_span_in_context(NonRecordingSpan(PARENT), EMPTY),
    "remote, random": set_span_in_context(NonRecordingSpan(SpanContext(7, 8, True, TraceFlags(3))), EMPTY),
    "remote, all flags": set_span_in_context(NonRecordingSpan(SpanContext(7, 8, True, TraceFlags(255))), EMPTY),
    "not sampled": set_span_in_context(NonRecordingSpan(SpanContext(7, 8, True, TraceFlags(0))), EMPTY),
    "invalid": set_span_in_context(NonRecordingSpan(SpanContext(0, 0, True, TraceFlags(1))), EMPTY),
}


@pytest.mark.parametrize("parent", OTHERS)
@pytest.mark.parametrize("error", [False, True])
def test_it_reads_as_the_sdks(parent: str, error: bool) -> None:
    """Ids, flags, times, kind, links, status, resource and scope, below any parent; and its child."""
    pair = Pair()

    def record(spans: Spans) -> None:
        span = spans.start("a", 10, {"x": 1}, OTHERS[parent], SpanKind.SERVER, [Link(PARENT)])
        child = spans.start("b", 12, {}, set_span_in_context(span, EMPTY))
        spans.end(child, 15)
        spans.end(span, 20, {"y": 2.5}, error=error)

    pair.record(record)
    light, sdk = pair.read()
    assert light == sdk
    assert len(light) == (0 if parent == "not sampled" else 2)


VALUES = st.one_of(st.text(max_size=8), st.integers(), st.booleans(), st.floats(allow_nan=False), st.none(),
                   st.lists(st.text(max_size=3), max_size=3), st.binary(max_size=4))  # fmt: skip
STATUSES = [*StatusCode, Status(), Status(StatusCode.ERROR, "x")]
SAYINGS: st.SearchStrategy[tuple[str, tuple[Any, ...]]] = st.one_of(
    st.tuples(st.just("set_attribute"), st.tuples(st.text(min_size=1, max_size=4), VALUES)),
    st.tuples(st.just("set_attributes"), st.tuples(st.dictionaries(st.text(min_size=1, max_size=4), VALUES))),
    st.tuples(st.just("add_event"), st.tuples(st.text(max_size=4), st.dictionaries(st.text(min_size=1), VALUES),
                                              st.integers(1, 99))),
    st.tuples(st.just("add_link"), st.tuples(st.just(PARENT), st.dictionaries(st.text(min_size=1), VALUES))),
    st.tuples(st.just("set_status"), st.tuples(st.sampled_from(STATUSES))),
    st.tuples(st.just("update_name"), st.tuples(st.text(max_size=4))),
    st.tuples(st.just("end"), st.tuples(st.just(30))),
)  # fmt: skip


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(SAYINGS, max_size=12))
def test_whatever_the_servers_code_says_reads_as_the_sdks(
    caplog: pytest.LogCaptureFixture, sayings: list[tuple[str, tuple[Any, ...]]]
) -> None:
    """Everything that the API of a span has, also after its end: the SDK's warnings, and what can be read meanwhile."""
    pair = Pair()
    seen: list[Any] = []

    def record(spans: Spans) -> None:
        caplog.clear()
        span: Any = spans.start("a", 10, {"x": 1})
        states = [isinstance(span, SdkSpan)]
        for method, arguments in sayings:
            getattr(span, method)(*arguments)
            states.append((_read(span), span.is_recording()))
        seen.append((states, caplog.messages[:]))
        spans.end(span, 40, {"z": 1})

    pair.record(record)
    light, sdk = pair.read()
    assert light == sdk
    assert seen[0] == seen[1]


def test_threads_that_write_to_one_lose_nothing() -> None:
    """Attributes, events and links of several threads, and one end of many."""
    pair, threads, each = Pair(), 4, 30
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(20):
            for recorder in pair.recorders[:1]:
                span = recorder.start("a", 1, {})
                begin = threading.Barrier(threads)

                def write(number: int, span: Any = span, begin: threading.Barrier = begin) -> None:
                    begin.wait()
                    for turn in range(each):
                        span.set_attribute(f"{number}.{turn}", turn)
                        span.add_event("e", timestamp=1)
                        span.add_link(PARENT)
                    span.end(2)

                writers = [threading.Thread(target=write, args=(number,)) for number in range(threads)]
                for writer in writers:
                    writer.start()
                for writer in writers:
                    writer.join()
                recorder.end(span, 3)
    finally:
        sys.setswitchinterval(before)
    finished = pair.light.get_finished_spans()
    assert len(finished) == 20
    # The first that ends it ends what the others write.
    for done in finished:
        assert done.attributes is not None
        ended = {name.partition(".")[0] for name in done.attributes if name.endswith(f".{each - 1}")}
        assert ended
        assert all(sum(name.startswith(f"{number}.") for name in done.attributes) == each for number in ended)
        assert len(done.events) >= each
        assert len(done.links) >= each


def test_it_is_written_to_after_it_ended() -> None:
    """By code that kept it: nothing changes, and nothing is exported again."""
    pair = Pair()

    def record(spans: Spans) -> None:
        span: Any = spans.start("a", 1, {"x": 1})
        spans.end(span, 2, {"y": 2}, error=True)
        span.set_attribute("z", 3)
        span.end(4)
        assert _read(span)["attributes"] == {"x": 1, "y": 2}

    pair.record(record)
    light, sdk = pair.read()
    assert light == sdk
    assert len(light) == 1


def test_where_the_sdk_counts_its_spans_they_are_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its internal metrics know of no others."""
    monkeypatch.setenv("OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED", "true")
    assert type(spans_of(OwnTracerProvider(RESOURCE, []))) is Spans


def test_where_nothing_is_exported_spans_only_have_ids() -> None:
    """Those of the trace, for whoever looks; a processor that comes later gets the SDK's spans."""
    provider = OwnTracerProvider(RESOURCE, [])
    spans = spans_of(provider)
    span = spans.start("a", 1, {"x": 1})
    child = spans.start("b", 1, {}, set_span_in_context(span, EMPTY))
    assert isinstance(span, NonRecordingSpan)
    assert child.get_span_context().trace_id == span.get_span_context().trace_id != 0
    exporter = InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    spans.end(spans.start("c", 1, {}), 2)
    assert [span.name for span in exporter.get_finished_spans()] == ["c"]


def test_an_exception_is_recorded_as_by_the_sdk() -> None:
    """By hand, and as the current span of code that raises."""
    pair = Pair()

    def record(spans: Spans) -> None:
        span: Span = spans.start("a", 10, {})
        span.record_exception(ValueError("why"), {"more": 1}, 11, escaped=True)
        with pytest.raises(KeyError), use_span(span):
            raise KeyError("b")
        spans.end(span, 20)

    pair.record(record)
    (light,), (sdk,) = pair.read()

    def described(span: dict[str, Any]) -> Any:
        # Where it was raised, and when.
        return [(name, {**attributes, "exception.stacktrace": ""}) for name, attributes, _ in span["events"]], span[
            "status"
        ]

    assert described(light) == described(sdk)
    assert "test_spans.py" in light["events"][1][1]["exception.stacktrace"]


def test_it_cannot_be_filled_without_end() -> None:
    """Attributes, events and links have the SDK's limit: the oldest go, and are counted."""
    pair = Pair()

    def record(spans: Spans) -> None:
        span = spans.start("a", 1, {"x": 1}, links=(Link(PARENT),))
        for number in range(200):
            span.set_attribute(str(number), number)
            span.add_event("e", {"number": number}, number)
            span.add_link(PARENT, {"number": number})
        spans.end(span, 2, {"y": 1})

    pair.record(record)
    light, sdk = pair.read()
    assert light == sdk
    assert light[0]["dropped"] == (74, 72, 73)


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("set_status", ("ERROR",)),
        ("set_status", (None,)),
        ("set_status", (2,)),
        ("add_link", (None,)),
        ("add_link", (SpanContext(0, 0, False),)),
        ("add_link", (SpanContext(0, 0, False), {"a": 1})),
        ("set_attribute", (5, "x")),
        ("set_attribute", (b"x", "x")),
        ("set_attribute", ("", "x")),
        ("set_attributes", ({5: "x", b"x": 1, "": 2, "y": None},)),
        ("set_attributes", ({str(number): number for number in range(300)},)),
    ],
)
def test_what_is_no_such_thing_is_left_out_as_by_the_sdk(method: str, arguments: tuple[Any, ...]) -> None:
    """One wrong call of the server's code costs no other span of the batch."""
    pair = Pair()

    def record(spans: Spans) -> None:
        span = spans.start("a", 1, {})
        getattr(span, method)(*arguments)
        spans.end(span, 2)

    pair.record(record)
    light, sdk = pair.read()
    assert light == sdk


class Onlooker(SpanProcessor):
    """Somebody else's: it adds to spans when they start, and notes on which thread they end."""

    def __init__(self) -> None:
        self.threads: list[int] = []

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        """Add an attribute."""
        span.set_attribute("seen", isinstance(span, SdkSpan))

    def on_end(self, span: ReadableSpan) -> None:
        """Note who ends it."""
        self.threads.append(threading.get_ident())


@pytest.mark.parametrize("end", [2, None])
def test_to_end_one_makes_no_other(end: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """However it is ended: one of the SDK's costs as much as all spans of an exchange."""
    made: list[LightSpan] = []
    exporter = InMemorySpanExporter()
    spans = spans_of(OwnTracerProvider(RESOURCE, [SimpleSpanProcessor(exporter)]))
    monkeypatch.setattr(Promotion, "promoted", lambda _, span: made.append(span))
    spans.start("light", 1, {}).end(end)
    [span] = exporter.get_finished_spans()
    assert span.end_time == end or end is None
    assert not made


def test_a_processor_of_somebody_else_gets_the_sdks_spans() -> None:
    """Added to the provider at any time."""
    exporter = InMemorySpanExporter()
    provider = OwnTracerProvider(RESOURCE, [SimpleSpanProcessor(exporter)])
    spans = spans_of(provider)
    spans.end(spans.start("before", 1, {}), 2)
    provider.add_span_processor(Onlooker())
    spans.end(spans.start("after", 1, {}), 2)
    assert [dict(span.attributes or {}) for span in exporter.get_finished_spans()] == [{}, {"seen": True}]


def test_a_processor_of_somebody_else_is_called_where_spans_end() -> None:
    """What was deferred before is done first, and nothing waits from then on: it may hold what a thread needs."""
    exporter = InMemorySpanExporter()
    deferred = DeferredWork(Guard(strict=True), pause=60.0)
    provider = OwnTracerProvider(RESOURCE, [SimpleSpanProcessor(exporter)], deferred=deferred)
    spans, onlooker = spans_of(provider), Onlooker()
    deferred.defer(spans.end, spans.start("before", 1, {}), 2)
    provider.add_span_processor(onlooker)
    assert [span.name for span in exporter.get_finished_spans()] == ["before"]
    deferred.defer(spans.end, spans.start("after", 1, {}), 2)
    assert onlooker.threads == [threading.get_ident()]


@pytest.mark.parametrize(
    ("variable", "value"),
    [("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "20"), ("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "20"),
     ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "5"), ("OTEL_SPAN_LINK_COUNT_LIMIT", "1"),
     ("OTEL_SPAN_EVENT_COUNT_LIMIT", "1000"), ("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", "4"),
     ("OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", "4")],
)  # fmt: skip
def test_limits_are_the_sdks(variable: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where somebody sets one, it is the SDK that keeps it."""
    monkeypatch.setenv(variable, value)
    assert type(spans_of(OwnTracerProvider(RESOURCE, []))) is Spans


@pytest.mark.parametrize("sampler", ["always_off", "traceidratio", "always_on"])
def test_a_sampler_is_asked(sampler: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any but the default one."""
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", sampler)
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0")
    spans = spans_of(OwnTracerProvider(RESOURCE, []))
    span = spans.start("a", 1, {})
    assert span.is_recording() is (sampler == "always_on")
    spans.end(span, 2, {"x": 1}, error=True)


def test_an_sdk_that_reads_other_fields_gets_spans_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """The names of a span's fields are not promised."""
    monkeypatch.setattr(ReadableSpan, "kind", property(lambda span: span._sort))
    assert type(spans_of(OwnTracerProvider(RESOURCE, []))) is Spans


def test_an_exporter_that_reads_what_the_sdk_does_not_promise() -> None:
    """It finds in a light span what it finds in the SDK's."""
    light, sdk = InMemorySpanExporter(), InMemorySpanExporter()
    provider = TracerProvider(resource=RESOURCE, id_generator=CountingIds(), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(sdk))
    for tracers in (OwnTracerProvider(RESOURCE, [SimpleSpanProcessor(light)], CountingIds()), provider):
        spans = spans_of(tracers)
        spans.end(spans.start("a", 1, {"x": 1}, links=(Link(PARENT, {"y": 2}),)), 2)
    ((ours,), (theirs,)) = light.get_finished_spans(), sdk.get_finished_spans()
    assert type(ours) is LightSpan
    assert ours.to_json() == theirs.to_json()
    for name in ("_name", "_context", "_parent", "_kind", "_start_time", "_end_time", "_resource"):
        assert getattr(ours, name) == getattr(theirs, name)
    assert dict(ours._attributes) == dict(theirs._attributes)  # type: ignore[arg-type]
