"""A span without what only strangers need: no lock, no copies, nothing that is not there yet."""

from __future__ import annotations

import time
import traceback
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol, cast

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util import BoundedList
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    INVALID_SPAN,
    Link,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    get_current_span,
    set_span_in_context,
)

Attributes = Mapping[str, Any]

ERROR: Final = Status(StatusCode.ERROR)
UNSET: Final = Status()
# The SDK's own limit of a span's attributes, events and links.
MOST: Final = 128
# Under which the API keeps a span in a context; it has no name for it.
(_SPAN_KEY,) = set_span_in_context(INVALID_SPAN, Context())


class Origin(Protocol):
    """Where a span comes from, and where it goes when it has ended."""

    @property
    def resource(self) -> Resource:
        """Of all spans."""

    @property
    def scope(self) -> InstrumentationScope:
        """Of all spans."""

    def ended(self, span: LightSpan) -> None:
        """Hand an ended span to those who export it."""


class LightSpan(ReadableSpan, Span):
    """A span that holds what it is given, and nothing that is not there yet. What it is read by is the SDK's."""

    __slots__ = (
        "_attributes", "_context", "_end_time", "_kind", "_links", "_name", "_parent", "_start_time", "_status",
        "_origin",
    )  # fmt: skip

    # Most spans have none.
    _events: Sequence[Event] = ()
    _instrumentation_info = None

    def __init__(
        self,
        origin: Origin,
        name: str,
        start: int,
        attributes: dict[str, Any],
        context: SpanContext,
        parent: SpanContext | None,
        kind: SpanKind,
        links: Sequence[Link],
    ) -> None:
        self._origin = origin
        self._name = name
        self._start_time = start
        self._end_time: int | None = None
        self._attributes: Any = attributes
        self._context = context
        self._parent = parent
        self._kind = kind
        self._links = links
        self._status = UNSET

    # --- What is read ------------------------------------------------------------------------------------------
    @property
    def _resource(self) -> Resource:  # type: ignore[override]
        return self._origin.resource

    @property
    def _instrumentation_scope(self) -> InstrumentationScope:  # type: ignore[override]
        return self._origin.scope

    def get_span_context(self) -> SpanContext:
        """The ids of the span."""
        return cast("SpanContext", self._context)

    def is_recording(self) -> bool:
        """Whether it has not ended."""
        return self._end_time is None

    # --- What this package says of it --------------------------------------------------------------------------
    def finish(self, end: int, attributes: Attributes | None, error: bool) -> None:
        """End it, with what is known only now; `attributes` are clean."""
        if self._end_time is None:
            if attributes:
                self._attributes.update(attributes)
            if error:
                self._status = ERROR
            self.end(end)

    # --- What the server's own code may say of it, at the SDK's price --------------------------------------------
    def end(self, end_time: int | None = None) -> None:
        """End it and hand it to whoever exports it; a second time does nothing."""
        if self._end_time is not None:
            return
        self._end_time = time.time_ns() if end_time is None else end_time
        self._origin.ended(self)

    def set_attributes(self, attributes: Attributes) -> None:
        """Say more of it; what is not an attribute is left out, as the SDK does."""
        if self._end_time is None:
            cleaned, held = BoundedAttributes(MOST, attributes), self._bounded()
            held.update(cleaned)
            held.dropped += cleaned.dropped

    def set_attribute(self, key: str, value: Any) -> None:
        """Say one thing more of it."""
        if self._end_time is None:
            self._bounded()[key] = value

    def _bounded(self) -> BoundedAttributes:
        if not isinstance(self._attributes, BoundedAttributes):
            self._attributes = BoundedAttributes(MOST, self._attributes, immutable=False)
        return self._attributes

    def add_event(self, name: str, attributes: Attributes | None = None, timestamp: int | None = None) -> None:
        """Tell of something that happened at a moment (nanoseconds since the epoch; now, where none is given)."""
        if self._end_time is None:
            if not isinstance(self._events, BoundedList):
                self._events = BoundedList(MOST)
            self._events.append(Event(name, BoundedAttributes(MOST, attributes), timestamp))

    def add_link(self, context: SpanContext, attributes: Attributes | None = None) -> None:
        """Point to another span; what points nowhere is left out, as the SDK does."""
        points = isinstance(context, SpanContext) and (context.is_valid or attributes or context.trace_state)
        if self._end_time is None and points:
            if not isinstance(self._links, BoundedList):
                self._links = BoundedList.from_seq(MOST, self._links)
            self._links.append(Link(context, BoundedAttributes(MOST, attributes)))

    def record_exception(
        self,
        exception: BaseException,
        attributes: Attributes | None = None,
        timestamp: int | None = None,
        escaped: bool = False,
    ) -> None:
        """Tell of an exception as an event."""
        kind = type(exception)
        name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
        told = {
            "exception.type": name,
            "exception.message": str(exception),
            "exception.stacktrace": "".join(traceback.format_exception(exception)),
            "exception.escaped": str(escaped),
        }
        self.add_event("exception", {**told, **(attributes or {})}, timestamp)

    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        """Say how it went; "ok" is final, "unset" says nothing, and what is no status even less."""
        if isinstance(status, StatusCode):
            status = Status(status, description)
        if not isinstance(status, Status) or status.is_unset or self._status.status_code is StatusCode.OK:
            return
        if self._end_time is None:
            self._status = status

    def update_name(self, name: str) -> None:
        """Give it another name."""
        if self._end_time is None:
            self._name = name


def context_of(span: Span) -> Context:
    """The context whose children are `span`'s, and nothing else in it."""
    return Context({_SPAN_KEY: span})


def span_context_in(context: Context) -> SpanContext:
    """Of the span in a context, as the API finds it, which is at pains to make sure that it is a span."""
    span = context.get(_SPAN_KEY)
    if span.__class__ is LightSpan:
        return cast("SpanContext", span._context)
    return get_current_span(context).get_span_context()
