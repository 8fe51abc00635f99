"""One call of the model: from its request to the last line of its stream, wherever that is read."""

from __future__ import annotations

import weakref
from typing import Any, Final
from urllib.parse import urlsplit

from opentelemetry.context import Context
from opentelemetry.trace import SpanKind, Status, StatusCode

from ailoop_otel import names
from ailoop_otel.protocol.frame import harmless
from ailoop_otel.recording.spans import context_of
from ailoop_otel.recording.telemetry import SECOND, SHORTEST, Attributes
from ailoop_otel.server import sse
from ailoop_otel.server.content import ModelContent
from ailoop_otel.server.inside import Inside, failed
from ailoop_otel.server.owner import Owner

_PROVIDER: Final = "openrouter"
_CUT: Final = "cut"
_GARBAGE: Final = "JSONDecodeError"


class ModelCall:
    """A request to the model and its answer. Made in the message's context, used in the thread that reads."""

    __slots__ = (
        "_abandoned", "_chunks", "_ended", "_inside", "_last", "_model", "_sent", "_status", "_url", "content", "owner",
        "parent", "stream",
    )  # fmt: skip

    def __init__(self, inside: Inside, owner: Owner | None, parent: Context, chunks: Any) -> None:
        self._inside = inside
        # The async generator that gives the chunks. Not held: where it is dropped, nobody listens any more.
        self._chunks = weakref.ref(chunks)
        self.owner = owner
        self.parent = parent
        self.stream = sse.Stream(inside.telemetry.clock.now)
        self._model = self._url = ""
        self._status: int | None = None
        self._sent = self._last = 0
        self._abandoned = self._ended = False
        self.content: ModelContent | None = None

    @property
    def open(self) -> bool:
        """Whether it has not ended."""
        return not self._ended

    @property
    def opening(self) -> bool:
        """Whether its generator was asked for a chunk and has not given it yet."""
        chunks = self._chunks()
        return chunks is not None and bool(getattr(chunks, "ag_running", True))

    def sending(self, url: Any, payload: Any) -> None:
        """The request goes out."""
        self._sent = self.stream.now()
        self._url = str(url)
        if self._inside.content is not None:
            self.content = self._inside.content.model(payload)
        asked = payload.get("model") if isinstance(payload, dict) else None
        self._model = harmless(asked) or names.OTHER
        if self.owner is not None:
            self.owner.model = self._model
            self.owner.waiting_for = "model"

    def responded(self, status: int) -> None:
        """The provider's headers came; an error status ends the call."""
        self._status = status
        if status >= 400:
            self.end(str(status))

    def end(self, error: str | None = None) -> None:
        """The last line was read, or it failed; a second time does nothing."""
        if self._ended:
            return
        self._ended = True
        if not self._sent:
            return
        self._last = self.stream.now()
        self.stream.end()
        self._abandoned = self._deserted()
        error = error or self.stream.summary.error or self._ending()
        if self.owner is not None and self.owner.left:
            self._abandoned = True
        self._account(error)
        self._inside.telemetry.defer(self._finish, error)

    def _deserted(self) -> bool:
        # Closed, cancelled or dropped while the thread read on: one that is listened to ends after its thread.
        chunks = self._chunks()
        return chunks is None or getattr(chunks, "ag_frame", chunks) is None

    def _ending(self) -> str | None:
        stream = self.stream
        if stream.garbage:
            return _GARBAGE
        # Somebody who reads no further, as the server does when it shuts down, has not been cut off.
        whole = stream.done or stream.summary.finish_reason is not None or self._abandoned
        return None if whole else _CUT

    def _account(self, error: str | None) -> None:
        owner = self.owner
        if owner is None:
            return
        stream = self.stream
        if error is not None:
            mid_stream = stream.first > 0 and stream.summary.error is None and error != _GARBAGE
            failed(owner, error, cut=mid_stream)
        owner.waiting_for = "server"
        if owner.spent is not None:
            owner.spent.model_wait += (stream.first or self._last) - self._sent
            if stream.first:
                owner.spent.model_stream += stream.latest - stream.first

    def _finish(self, error: str | None) -> None:
        # Begun only now: nothing is below it, and a span is cheapest when all of it is told at once.
        telemetry = self._inside.telemetry
        offset = telemetry.offset()
        attributes = self._asked() | self._told()
        if error is not None:
            attributes[names.ERROR_TYPE] = error
        name = f"{names.SPAN_MODEL} {self._model}"
        span = telemetry.start_span(name, self._sent + offset, attributes, self.parent, SpanKind.CLIENT)
        if error is not None:
            span.set_status(Status(StatusCode.ERROR))
        self._record(context_of(span), error)
        end = max(self._last, self._sent + SHORTEST) + offset
        if self._inside.content is not None and self.content is not None:
            self.content.finish_reason = harmless(self.stream.summary.finish_reason)
            self._inside.content.end_model(span, end, self.content)
            self.content = None
        else:
            span.end(end)

    def _asked(self) -> Attributes:
        address = urlsplit(self._url)
        attributes: Attributes = {
            names.GEN_AI_OPERATION: names.SPAN_MODEL,
            names.GEN_AI_PROVIDER: _PROVIDER,
            names.GEN_AI_REQUEST_MODEL: self._model,
            names.GEN_AI_STREAM: True,
            names.SERVER_ADDRESS: address.hostname or "",
            names.SERVER_PORT: address.port or (443 if address.scheme == "https" else 80),
        }
        if self.owner is not None and self.owner.session_id is not None:
            attributes[names.SESSION_ID] = attributes[names.GEN_AI_CONVERSATION] = self.owner.session_id
        return attributes

    def _told(self) -> dict[str, Any]:
        stream, summary = self.stream, self.stream.summary
        attributes = {
            names.HTTP_STATUS: self._status,
            names.MODEL_CHUNKS: stream.chunks,
            names.MODEL_BYTES: stream.size,
            names.GEN_AI_RESPONSE_MODEL: harmless(summary.model),
            names.GEN_AI_RESPONSE_ID: harmless(summary.response_id),
            names.GEN_AI_INPUT_TOKENS: summary.input_tokens,
            names.GEN_AI_OUTPUT_TOKENS: summary.output_tokens,
            names.GEN_AI_COST: summary.cost,
            names.MODEL_ABANDONED: self._abandoned or None,
        }
        known: dict[str, Any] = {name: value for name, value in attributes.items() if value is not None}
        if (reason := harmless(summary.finish_reason)) is not None:
            known[names.GEN_AI_FINISH_REASONS] = (reason,)
        if stream.first:
            known[names.GEN_AI_FIRST_CHUNK] = (stream.first - self._sent) / SECOND
        return known

    def _record(self, context: Context, error: str | None) -> None:
        telemetry, stream, summary = self._inside.telemetry, self.stream, self.stream.summary
        labels: Attributes = {
            names.GEN_AI_OPERATION: names.SPAN_MODEL,
            names.GEN_AI_PROVIDER: _PROVIDER,
            names.GEN_AI_REQUEST_MODEL: self._model,
        }
        duration = (self._last - self._sent) / SECOND
        telemetry.model_duration.record(duration, labels | ({names.ERROR_TYPE: error} if error else {}), context)
        if stream.first:
            telemetry.model_first_chunk.record((stream.first - self._sent) / SECOND, labels, context)
        if stream.chunks > 1 and stream.first:
            mean = (stream.latest - stream.first) / (stream.chunks - 1) / SECOND
            telemetry.model_chunk.record(mean, labels, context)
        for kind, count in (("input", summary.input_tokens), ("output", summary.output_tokens)):
            if count is not None:
                telemetry.tokens.record(count, labels | {names.GEN_AI_TOKEN_TYPE: kind}, context)
