"""Spans with whatever may be in them, for property tests."""

from __future__ import annotations

import math
from types import MappingProxyType
from typing import Any

from hypothesis import strategies as st
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

INT64 = 2**63
# Surrogates too: they are no UTF-8.
TEXT = st.text(st.characters(), max_size=12) | st.sampled_from(["", "ok", "é", "\ud800", "x" * 127, "x" * 300])
NUMBERS = st.integers() | st.sampled_from(
    [0, 1, -1, 127, 128, 16383, 16384, 2**21, INT64 - 1, INT64, -INT64, -INT64 - 1]
)
FLOATS = st.floats() | st.sampled_from([0.0, -0.0, 1.0, math.nan, math.inf])
PLAIN = TEXT | NUMBERS | FLOATS | st.booleans()
VALUES = st.recursive(
    PLAIN | st.none() | st.binary(max_size=8) | st.builds(object),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=3)
    ),
    max_leaves=4,
)
KEYS = st.sampled_from(["a", "b", "c"]) | TEXT
PLAIN_ATTRIBUTES = st.dictionaries(KEYS, PLAIN, max_size=6)
ATTRIBUTES = PLAIN_ATTRIBUTES | st.dictionaries(KEYS | st.integers(), VALUES, max_size=4) | st.none()
# As the SDK keeps them, and as somebody else may.
HELD = (
    ATTRIBUTES
    | PLAIN_ATTRIBUTES.map(lambda given: BoundedAttributes(3, given, immutable=False))
    | PLAIN_ATTRIBUTES.map(MappingProxyType)
)
IDS = st.integers(0, 2**64 - 1)
STATES = st.just(TraceState()) | st.just(TraceState([("vendor", "1"), ("other", "x=y")]))
CONTEXTS = st.builds(SpanContext, st.integers(0, 2**128 - 1), IDS, st.booleans(), st.just(TraceFlags(1)), STATES)
TIMES = st.integers(0, 2**64 - 1) | st.none()
NAMES = st.text(max_size=12) | st.sampled_from([None, "", "x" * 127, "x" * 20_000])
STATUSES = (
    st.just(Status()) | st.just(Status(StatusCode.OK)) | st.builds(lambda text: Status(StatusCode.ERROR, text), NAMES)
)
RESOURCES = st.sampled_from(
    [
        Resource({"service.name": "one"}),
        Resource({"service.name": "one"}),
        Resource({"service.name": "two", "many": (1, 2)}, "https://schema"),
        Resource({}),
    ]
)
SCOPES = st.sampled_from(
    [
        None,
        InstrumentationScope("one"),
        InstrumentationScope("one"),
        InstrumentationScope("one", "1", "https://schema", {"key": True}),
        InstrumentationScope(""),
    ]
)
LINKS = st.lists(st.builds(Link, CONTEXTS, HELD), max_size=2)
EVENTS = st.lists(st.builds(Event, st.text(max_size=12), HELD, st.integers(0, 2**64 - 1)), max_size=2)
SPANS = st.builds(
    ReadableSpan,
    name=NAMES,
    context=CONTEXTS,
    parent=st.none() | CONTEXTS,
    resource=RESOURCES,
    attributes=HELD,
    events=EVENTS.map(tuple),
    links=LINKS.map(tuple) | LINKS,
    kind=st.sampled_from(SpanKind),
    status=STATUSES | st.just(None),
    start_time=TIMES,
    end_time=TIMES,
    instrumentation_scope=SCOPES,
)
USUAL: dict[str, Any] = {
    "name": "sendUserMessage",
    "context": SpanContext(2**127, 2**63, False),
    "parent": SpanContext(2**127, 1, True),
    "resource": Resource({}),
    "attributes": {"text": "é", "number": -7, "fraction": 0.5, "truth": True, "reasons": ("stop",)},
    "links": (Link(SpanContext(1, 2, True)), Link(SpanContext(3, 4, False), {})),
    "kind": SpanKind.SERVER,
    "start_time": 1,
    "end_time": 2**63,
}
