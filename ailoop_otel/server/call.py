"""One call of the model: from its request to the last line of its stream, wherever that is read."""

from __future__ import annotations

from collections import deque
from typing import Any, Final
from urllib.parse import urlsplit

from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from ailoop_otel import names
from ailoop_otel.dialects.frame import harmless
from ailoop_otel.server import sse
from ailoop_otel.server.content import ModelContent
from ailoop_otel.server.inside import Inside, failed
from ailoop_otel.server.owner import Owner
from ailoop_otel.telemetry import SECOND, SHORTEST, Attributes, context_of

_PROVIDER: Final = "openrouter"
_CUT: Final = "cut"
_GARBAGE: Final = "JSONDecodeError"


class ModelCall:
    """A request to the model and its answer. Made in the message's context, used in the thread that reads.

    Only the first lines and the last few are read as JSON: in between a line costs a look at its head.
    """

    __slots__ = (
        "_bytes", "_chunks", "_done", "_ended", "_first", "_garbage", "_inside", "_last", "_latest", "_model", "_sent",
        "_summary", "_tail", "abandoned", "content", "owner", "parent", "span",
    )  # fmt: skip

    def __init__(self, inside: Inside, owner: Owner | None, parent: Context) -> None:
        self._inside = inside
        self.owner = owner
        self.parent = parent
        self.span: Span | None = None
        self.abandoned = False
        self._model = ""
        self._sent = self._first = self._latest = self._last = 0
        self._chunks = self._bytes = 0
        self._garbage = self._done = self._ended = False
        self._tail: deque[bytes] = deque(maxlen=3)
        self._summary = sse.Summary()
        self.content: ModelContent | None = None

    @property
    def open(self) -> bool:
        """Whether it has not ended."""
        return not self._ended

    def sending(self, url: Any, payload: Any) -> None:
        """The request goes out."""
        telemetry = self._inside.telemetry
        self._sent = telemetry.clock.now()
        if self._inside.content is not None:
            self.content = self._inside.content.model(payload)
        asked = payload.get("model") if isinstance(payload, dict) else None
        self._model = harmless(asked) or names.OTHER
        address = urlsplit(str(url))
        attributes: Attributes = {
            names.GEN_AI_OPERATION: names.SPAN_MODEL,
            names.GEN_AI_PROVIDER: _PROVIDER,
            names.GEN_AI_REQUEST_MODEL: self._model,
            names.GEN_AI_STREAM: True,
            names.SERVER_ADDRESS: address.hostname or "",
            names.SERVER_PORT: address.port or (443 if address.scheme == "https" else 80),
        }
        owner = self.owner
        if owner is not None:
            owner.model = self._model
            owner.waiting_for = "model"
            if owner.session_id is not None:
                attributes[names.SESSION_ID] = attributes[names.GEN_AI_CONVERSATION] = owner.session_id
        self.span = telemetry.start_span(
            f"{names.SPAN_MODEL} {self._model}",
            self._sent + telemetry.offset(),
            attributes,
            self.parent,
            SpanKind.CLIENT,
        )

    def responded(self, status: int) -> None:
        """The provider's headers came; an error status ends the call."""
        if self.span is not None:
            self.span.set_attribute(names.HTTP_STATUS, status)
        if status >= 400:
            self.end(str(status))

    def line(self, line: bytes) -> None:
        """A line of the stream was read."""
        self._bytes += len(line) + 1
        if sse.is_data(line):
            self._latest = self._inside.telemetry.clock.now()
            self._chunks += 1
            self._tail.append(line)
            if not self._first:
                self._look_for_output(line)
            elif not line.endswith(b"}"):
                self._garbage = True
        elif sse.is_done(line):
            self._done = True

    def line_with_content(self, line: bytes) -> None:
        """As `line`, where the answer is captured: it has to be read whole."""
        self.line(line)
        if self.content is not None:
            self.content.answer.line(line)

    def end(self, error: str | None = None) -> None:
        """The last line was read, or it failed; a second time does nothing."""
        if self._ended:
            return
        self._ended = True
        span = self.span
        if span is None:
            return
        self._last = self._inside.telemetry.clock.now()
        for line in self._tail:
            chunk = sse.read(line)
            if chunk is None:
                self._garbage = True
            else:
                self._summary.take(chunk)
        error = error or self._summary.error or self._ending()
        if self.owner is not None and self.owner.left:
            self.abandoned = True
        self._account(error)
        self._finish(span, error)

    def _look_for_output(self, line: bytes) -> None:
        chunk = sse.read(line)
        if chunk is None:
            self._garbage = True
        elif sse.has_output(chunk):
            self._first = self._latest
            self._summary.take(chunk)

    def _ending(self) -> str | None:
        if self._garbage:
            return _GARBAGE
        # Somebody who reads no further, as the server does when it shuts down, has not been cut off.
        whole = self._done or self._summary.finish_reason is not None or self.abandoned
        return None if whole else _CUT

    def _account(self, error: str | None) -> None:
        owner = self.owner
        if owner is None:
            return
        if error is not None:
            mid_stream = self._first > 0 and self._summary.error is None and error != _GARBAGE
            failed(owner, error, cut=mid_stream)
        owner.waiting_for = "server"
        if owner.spent is not None:
            owner.spent.model_wait += (self._first or self._last) - self._sent
            if self._first:
                owner.spent.model_stream += self._latest - self._first

    def _finish(self, span: Span, error: str | None) -> None:
        summary = self._summary
        attributes: dict[str, Any] = {names.MODEL_CHUNKS: self._chunks, names.MODEL_BYTES: self._bytes}
        told = {
            names.GEN_AI_RESPONSE_MODEL: harmless(summary.model),
            names.GEN_AI_RESPONSE_ID: harmless(summary.response_id),
            names.GEN_AI_INPUT_TOKENS: summary.input_tokens,
            names.GEN_AI_OUTPUT_TOKENS: summary.output_tokens,
            names.GEN_AI_COST: summary.cost,
            names.ERROR_TYPE: error,
        }
        attributes |= {name: value for name, value in told.items() if value is not None}
        if (reason := harmless(summary.finish_reason)) is not None:
            attributes[names.GEN_AI_FINISH_REASONS] = [reason]
        if self._first:
            attributes[names.GEN_AI_FIRST_CHUNK] = (self._first - self._sent) / SECOND
        if self.abandoned:
            attributes[names.MODEL_ABANDONED] = True
        if error is not None:
            span.set_status(Status(StatusCode.ERROR))
        span.set_attributes(attributes)
        self._record(context_of(span), error)
        end = max(self._last, self._sent + SHORTEST) + self._inside.telemetry.offset()
        if self._inside.content is not None and self.content is not None:
            self.content.finish_reason = reason
            self._inside.content.end_model(span, end, self.content)
            self.content = None
        else:
            span.end(end)

    def _record(self, context: Context, error: str | None) -> None:
        telemetry, summary = self._inside.telemetry, self._summary
        labels: Attributes = {
            names.GEN_AI_OPERATION: names.SPAN_MODEL,
            names.GEN_AI_PROVIDER: _PROVIDER,
            names.GEN_AI_REQUEST_MODEL: self._model,
        }
        duration = (self._last - self._sent) / SECOND
        telemetry.model_duration.record(duration, labels | ({names.ERROR_TYPE: error} if error else {}), context)
        if self._first:
            telemetry.model_first_chunk.record((self._first - self._sent) / SECOND, labels, context)
        if self._chunks > 1 and self._first:
            mean = (self._latest - self._first) / (self._chunks - 1) / SECOND
            telemetry.model_chunk.record(mean, labels, context)
        for kind, count in (("input", summary.input_tokens), ("output", summary.output_tokens)):
            if count is not None:
                telemetry.tokens.record(count, labels | {names.GEN_AI_TOKEN_TYPE: kind}, context)
