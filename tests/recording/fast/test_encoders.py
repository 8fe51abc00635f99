"""Encoders of ours: read, a batch is what the official exporter makes of it, whatever is in it."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

from ailoop_otel.recording.fast.spans import LightSpan
from tests.recording.fast.arbitrary import PLAIN_ATTRIBUTES, SPANS, USUAL, VALUES
from tests.recording.fast.codecs import JSON, PROTOBUF, Codec

pytestmark = pytest.mark.parametrize("codec", [PROTOBUF, JSON], ids=["protobuf", "json"])


@pytest.fixture(autouse=True, scope="module")
def _quiet() -> Iterator[None]:
    # The official encoders log each attribute that they leave out.
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


class _Origin:
    def __init__(self, name: str) -> None:
        self.resource = Resource({"name": name})
        self.scope = InstrumentationScope(name)

    def ended(self, span: ReadableSpan) -> None:
        pass


@settings(max_examples=150, deadline=None)
@given(spans=st.lists(SPANS, max_size=4))
def test_any_batch(codec: Codec, spans: list[ReadableSpan]) -> None:
    """None of these is refused whole."""
    assert isinstance(codec.officially(spans), (bytes, str))
    codec.check(spans)


@pytest.mark.parametrize(
    "broken",
    [
        {"name": "\ud800"},
        {"name": 7},
        {"name": b"bytes"},
        {"start_time": -1},
        {"end_time": 2**64},
        {"end_time": 0.5},
        {"context": SpanContext(2**128, 1, False)},
        {"context": SpanContext(1, -1, False)},
        {"context": None},
        {"parent": SpanContext(1, 2**64, False)},
        {"kind": 7},
        {"status": Status(StatusCode.ERROR, "\udc00")},
        {"links": (Link(SpanContext(2**128, 1, False)),)},
        {"events": (Event("\ud800", {}, 1),)},
        {"attributes": {7: "seven", None: "none", ("a",): "b"}},
        {"attributes": {b"bytes": 1}},
        {"attributes": {"object": object(), "many": 10**5_000}},
        {"attributes": {"": 1, 0: 1, math.inf: "x", "enum": SpanKind.SERVER, "flag": TraceFlags(1)}},
        {"start_time": 'now"', "end_time": True},
        {"resource": Resource({}, 7)},
        {"resource": Resource({"text": "\ud800\n"}, 'https://schema"')},
    ],
)
def test_what_is_not_a_span(codec: Codec, broken: dict[str, Any]) -> None:
    """It is encoded, or the batch is refused, as the official encoder does."""
    codec.check([ReadableSpan(**USUAL), ReadableSpan(**{**USUAL, **broken})])


@settings(max_examples=200, deadline=None)
@given(attributes=PLAIN_ATTRIBUTES)
def test_usual_attributes(codec: Codec, attributes: dict[str, Any]) -> None:
    """Many of them in one span, some of them remembered from another."""
    codec.check([ReadableSpan(**{**USUAL, "attributes": attributes})] * 2)


@settings(max_examples=200, deadline=None)
@given(value=VALUES)
def test_any_value(codec: Codec, value: object) -> None:
    """Beside one that is usual."""
    codec.check([ReadableSpan(**{**USUAL, "attributes": {"before": 1, "value": value, "after": "x"}})] * 2)


@pytest.mark.parametrize("keys", [(1, True, 1.0), (True, 1, "1"), ("", None, 0, False)])
@pytest.mark.parametrize("value", ["text", 1, 1.0, True])
def test_keys_that_are_equal_and_yet_another(keys: tuple[Any, ...], value: object, codec: Codec) -> None:
    """What is remembered of one is not used for another."""
    codec.check([ReadableSpan(**{**USUAL, "attributes": {key: value}}) for key in keys])


@pytest.mark.parametrize("values", [(True, 1, 1.0), (1.0, True, 1), (0.0, -0.0), (-0.0, 0.0), (0, False, -0.0)])
@pytest.mark.parametrize("wrap", [lambda value: value, lambda value: (value,)])
def test_values_that_are_equal_and_yet_another(values: tuple[Any, ...], wrap: Any, codec: Codec) -> None:
    """What is remembered of one is not used for another."""
    codec.check([ReadableSpan(**{**USUAL, "attributes": {"key": wrap(value)}}) for value in values])


def test_spans_of_the_sdk_with_all_that_they_dropped(codec: Codec) -> None:
    """Attributes, events and links beyond the limits, an exception, a link with attributes, a child."""
    exporter = InMemorySpanExporter()
    limits = SpanLimits(max_span_attributes=2, max_events=1, max_links=1, max_link_attributes=1)
    provider = TracerProvider(span_limits=limits, shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("test", "1", "https://schema")
    links = [Link(SpanContext(1, number, False), {"a": 1, "b": 2}) for number in (1, 2, 3)]
    with tracer.start_as_current_span("parent", links=links) as span:
        span.set_attributes({"a": 1, "b": "x", "c": ("y",), "d": {"e": 2}})
        span.add_event("event", {"key": "value"})
        with tracer.start_as_current_span("child"):
            span.record_exception(ValueError("oh"))
        span.set_status(StatusCode.ERROR, "oh")
    spans = list(exporter.get_finished_spans())
    codec.check(spans)
    assert spans[1].dropped_attributes == 2
    assert spans[1].dropped_events == 1
    assert spans[1].dropped_links == 2


def test_a_link_that_dropped_all_its_attributes(codec: Codec) -> None:
    """The count is encoded, though nothing is left."""
    dropped = BoundedAttributes(0, {"a": 1, "b": 2})
    span = ReadableSpan(**{**USUAL, "links": (Link(SpanContext(1, 2, False), dropped),)})
    codec.check([span])
    assert span.links[0].dropped_attributes == 2


def test_a_span_that_dropped_nothing_but_attributes(codec: Codec) -> None:
    """The count is encoded."""
    span = ReadableSpan(**{**USUAL, "attributes": BoundedAttributes(1, {"a": 1, "b": 2})})
    codec.check([span])
    assert span.dropped_attributes == 1


@pytest.mark.parametrize("remote", [None, False, True])
def test_light_spans_among_others(codec: Codec, remote: bool | None) -> None:
    """Without their properties they are encoded as with them, and in their place."""
    parent = None if remote is None else SpanContext(1, 2, remote, TraceFlags(1), TraceState([("vendor", "1")]))
    state = None if parent is None else parent.trace_state
    context = SpanContext(1, 3, False, TraceFlags(1), state)
    links = (Link(SpanContext(4, 5, True)), Link(SpanContext(4, 6, False), {"of": "a link"}))
    spans: list[Any] = []
    for number, origin in enumerate([_Origin("a"), _Origin("b")] * 2):
        given: Any = origin
        light = LightSpan(given, "light", 7, {"text": "x", "n": number}, context, parent, SpanKind.SERVER, links)
        plain = LightSpan(given, "plain", 7, {}, context, parent, SpanKind.INTERNAL, ())
        light.finish(9, {"more": 1.5}, error=True)
        plain.finish(10, None, error=False)
        spans += [light, plain, ReadableSpan(**{**USUAL, "name": f"other {number}"}), plain]
    codec.check(spans)


def test_spans_of_alike_and_of_other_providers_in_turn(codec: Codec) -> None:
    """Each is among those of its resource and scope, in the order of the batch."""
    resources = [Resource({"n": 1}), Resource({"n": 2}), Resource({"n": 1})]
    scopes = [InstrumentationScope("a"), None, InstrumentationScope("a"), InstrumentationScope("b")]
    codec.check(
        [
            ReadableSpan(
                **{**USUAL, "name": str(turn), "resource": resources[turn % 3]}, instrumentation_scope=scopes[turn % 4]
            )
            for turn in range(24)
        ]
    )


def test_what_is_usual_needs_no_official_encoder(monkeypatch: pytest.MonkeyPatch, codec: Codec) -> None:
    """It is ten times as slow."""
    spans = [ReadableSpan(**USUAL)]
    official = codec.officially(spans)
    codec.check(spans)
    monkeypatch.setattr(codec.module, "encode_spans", None)
    assert codec.ours(spans) == official


def test_threads_that_encode_at_once(codec: Codec) -> None:
    """Each gets its own batch."""
    faults: list[object] = []

    def run(worker: int) -> None:
        for turn in range(100):
            attributes = {f"{key}": f"{(worker + turn) % 7}" for key in range(20)}
            spans = [ReadableSpan(**{**USUAL, "attributes": attributes})]
            if codec.ours(spans) != codec.officially(spans):
                faults.append((worker, turn))

    threads = [threading.Thread(target=run, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert faults == []
