"""Spans as protobuf: decoded, they are what the official encoder makes of them, whatever is in them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, Status, StatusCode

from ailoop_otel.export import protobuf
from ailoop_otel.export.protobuf import encoded
from ailoop_otel.guard import tried
from tests.export.arbitrary import PLAIN_ATTRIBUTES, SPANS, USUAL, VALUES


@pytest.fixture(autouse=True, scope="module")
def _quiet() -> Iterator[None]:
    # The official encoder tells of each attribute that it leaves out.
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


def _bytes(request: ExportTraceServiceRequest | None, fault: BaseException | None) -> object:
    # Not the messages themselves: one that holds a NaN does not equal itself, and 0.0 equals -0.0.
    return type(fault) if request is None else request.SerializeToString(deterministic=True)


def _ours(spans: list[ReadableSpan]) -> object:
    return _bytes(*tried(lambda: ExportTraceServiceRequest.FromString(encoded(spans))))


def _officially(spans: list[ReadableSpan]) -> object:
    return _bytes(*tried(encode_spans, spans))


def _check(spans: list[ReadableSpan]) -> None:
    assert _ours(spans) == _officially(spans)


@settings(max_examples=300, deadline=None)
@given(st.lists(SPANS, max_size=4))
def test_any_batch_decodes_to_what_the_official_encoder_makes(spans: list[ReadableSpan]) -> None:
    """None of these is refused whole."""
    assert isinstance(_officially(spans), bytes)
    _check(spans)


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
    ],
)
def test_what_is_not_a_span(broken: dict[str, Any]) -> None:
    """It is encoded, or refused with the same fault, as the official encoder does."""
    _check([ReadableSpan(**USUAL), ReadableSpan(**{**USUAL, **broken})])


@settings(max_examples=200, deadline=None)
@given(PLAIN_ATTRIBUTES)
def test_usual_attributes(attributes: dict[str, Any]) -> None:
    """Many of them in one span, some of them remembered from another."""
    _check([ReadableSpan(**{**USUAL, "attributes": attributes})] * 2)


@settings(max_examples=200, deadline=None)
@given(VALUES)
def test_any_value(value: object) -> None:
    """Beside one that is usual."""
    _check([ReadableSpan(**{**USUAL, "attributes": {"before": 1, "value": value, "after": "x"}})] * 2)


@pytest.mark.parametrize("values", [(True, 1, 1.0), (1.0, True, 1), (0.0, -0.0), (-0.0, 0.0), (0, False, -0.0)])
@pytest.mark.parametrize("wrap", [lambda value: value, lambda value: (value,)])
def test_values_that_are_equal_and_yet_another(values: tuple[Any, ...], wrap: Any) -> None:
    """What is remembered of one is not used for another."""
    _check([ReadableSpan(**{**USUAL, "attributes": {"key": wrap(value)}}) for value in values])


def test_spans_of_the_sdk_with_all_that_they_dropped() -> None:
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
    _check(spans)
    assert spans[1].dropped_attributes == 2
    assert spans[1].dropped_events == 1
    assert spans[1].dropped_links == 2


def test_a_link_that_dropped_all_its_attributes() -> None:
    """The count is told, though nothing is left."""
    dropped = BoundedAttributes(0, {"a": 1, "b": 2})
    span = ReadableSpan(**{**USUAL, "links": (Link(SpanContext(1, 2, False), dropped),)})
    _check([span])
    assert span.links[0].dropped_attributes == 2


def test_a_span_that_dropped_nothing_but_attributes() -> None:
    """The count is told."""
    span = ReadableSpan(**{**USUAL, "attributes": BoundedAttributes(1, {"a": 1, "b": 2})})
    _check([span])
    assert span.dropped_attributes == 1


def test_spans_of_alike_and_of_other_providers_in_turn() -> None:
    """Each is among those of its resource and scope, in the order of the batch."""
    resources = [Resource({"n": 1}), Resource({"n": 2}), Resource({"n": 1})]
    scopes = [InstrumentationScope("a"), None, InstrumentationScope("a"), InstrumentationScope("b")]
    _check(
        [
            ReadableSpan(
                **{**USUAL, "name": str(turn), "resource": resources[turn % 3]}, instrumentation_scope=scopes[turn % 4]
            )
            for turn in range(24)
        ]
    )


def test_what_is_usual_needs_no_official_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is ten times as slow."""
    span = ReadableSpan(**USUAL)
    official = encode_spans([span])
    encoded([span])
    for name in ("_encode_span", "_encode_attributes", "_encode_links", "_encode_events"):
        monkeypatch.setattr(protobuf, name, None)
    assert ExportTraceServiceRequest.FromString(encoded([span])) == official


def test_strangers_texts_do_not_stay() -> None:
    """Neither many nor long ones are remembered, and the memory that is kept stays small."""
    for number in range(2_000):
        encoded([ReadableSpan(**{**USUAL, "attributes": {f"key {number}": f"value {number}", "n" * 200: number}})])
    assert len(protobuf._known) <= 512
    protobuf._known.clear()
    long = {"long": "x" * 200, "n" * 200: 1, "m" * 200: 0.5, "longer": ("x" * 200,), "o" * 200: True}
    encoded([ReadableSpan(**{**USUAL, "attributes": long})])
    assert protobuf._known == {}


def test_threads_that_encode_at_once() -> None:
    """Each gets its own batch."""
    faults: list[object] = []

    def run(worker: int) -> None:
        for turn in range(100):
            attributes = {f"{key}": f"{(worker + turn) % 7}" for key in range(20)}
            spans = [ReadableSpan(**{**USUAL, "attributes": attributes})]
            if _ours(spans) != _officially(spans):
                faults.append((worker, turn))

    threads = [threading.Thread(target=run, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert faults == []
