"""Model calls: the server streams them through a plain `requests.post` in a bare thread, where their lines are read.

`stream_hook` makes the call in the context of its message, `start_hook` carries it into the thread, `post_hook`
observes request and lines there. Its span is recorded at its end.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import suppress
from contextvars import ContextVar, copy_context
from itertools import islice
from operator import sub
from typing import Any, Final
from urllib.parse import urlsplit

from opentelemetry.context import Context, get_current
from opentelemetry.instrumentation.utils import suppress_http_instrumentation
from opentelemetry.trace import SpanKind

from ailoop_otel import names
from ailoop_otel.guard import Guard
from ailoop_otel.protocol.foreign import count, harmless, number
from ailoop_otel.recording.spans import context_of
from ailoop_otel.recording.telemetry import SECOND, SHORTEST, Attributes, failure
from ailoop_otel.server.content.capture import ModelContent
from ailoop_otel.server.hooks import HookContext, HookHost, Owner, argument, failed, returned
from ailoop_otel.server.stream import GARBAGE, ModelStream
from ailoop_otel.tracking.usage import CURRENCY, OF_CALL, Usage

_PROVIDER: Final = "openrouter"
_CUT: Final = "cut"
# The finish reason of what ended without one.
_NO_REASON: Final = "error"
_MODALITY: Final = "unknown"


def _effort(reasoning: object) -> str | None:
    return harmless(reasoning.get("effort")) if isinstance(reasoning, dict) else None


def _output_type(form: object) -> str | None:
    return "json" if isinstance(form, dict) and form.get("type") in ("json_schema", "json_object") else None


# What of a request is recorded, and how it is read. Not `stop`: what it holds may be content.
_PARAMETERS: Final[dict[str, tuple[str, Callable[[object], Any]]]] = {
    "stream": (names.GEN_AI_STREAM, lambda value: value is True or None),
    "temperature": (names.GEN_AI_TEMPERATURE, number),
    "top_p": (names.GEN_AI_TOP_P, number),
    "top_k": (names.GEN_AI_TOP_K, count),
    "max_tokens": (names.GEN_AI_MAX_TOKENS, count),
    "frequency_penalty": (names.GEN_AI_FREQUENCY_PENALTY, number),
    "presence_penalty": (names.GEN_AI_PRESENCE_PENALTY, number),
    "seed": (names.GEN_AI_SEED, count),
    "reasoning": (names.GEN_AI_REASONING_LEVEL, _effort),
    "response_format": (names.GEN_AI_OUTPUT_TYPE, _output_type),
}


class ModelCall:
    """A request to the model and its answer. Made in the context of its owner, used in the thread that reads."""

    __slots__ = (
        "_abandoned", "_chunks", "_hooks", "_last", "_model", "_offset", "_parameters", "_sent", "_status", "_url",
        "_work", "content", "ended", "owner", "parent", "stream",
    )  # fmt: skip

    def __init__(self, hooks: HookContext, owner: Owner | None, parent: Context, chunks: Any) -> None:
        self._hooks = hooks
        # The async generator of the chunks. A weak reference: if the server drops it, the call is abandoned.
        self._chunks = weakref.ref(chunks)
        self.owner = owner
        self._work = owner.work if owner is not None else None
        self._parameters: dict[str, Any] = {}
        self.parent = parent
        self._offset = hooks.offset(owner)
        self.stream = ModelStream(hooks.telemetry.clock.now)
        self._model, self._url = names.OTHER, ""
        self._status: int | None = None
        self._sent = self._last = 0
        self._abandoned = self.ended = False
        self.content: ModelContent | None = None

    @property
    def opening(self) -> bool:
        """Whether its generator was asked for a chunk and has not returned it yet."""
        chunks = self._chunks()
        return chunks is not None and bool(getattr(chunks, "ag_running", True))

    def sending(self, url: Any, payload: Any) -> None:
        """The request goes out."""
        self._sent = self.stream.now()
        self._url = str(url)
        if self._hooks.content is not None:
            self.content = self._hooks.content.model(payload)
        if isinstance(payload, dict):
            # Not the payload: it holds messages, and its owner may change it.
            self._parameters = {key: payload[key] for key in _PARAMETERS if key in payload}
            self._model = harmless(payload.get("model")) or names.OTHER
        if self._work is not None:
            self._work.inference_calls += 1
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
        if self.ended:
            return
        self.ended = True
        if not self._sent:
            return
        self._last = self.stream.now()
        self._abandoned = self._is_abandoned()
        error = error or self.stream.summary.error or self._error_at_end()
        if self.owner is not None and self.owner.left:
            self._abandoned = True
        self._update_owner(error)
        self._hooks.telemetry.defer(self._record, error)

    def _is_abandoned(self) -> bool:
        # Its generator was closed, cancelled or dropped while the thread read on; otherwise it ends after the thread.
        chunks = self._chunks()
        return chunks is None or getattr(chunks, "ag_frame", chunks) is None

    def _error_at_end(self) -> str | None:
        stream = self.stream
        # A server that reads no further, as at its shutdown, was not cut off.
        if stream.done or stream.summary.finish_reason is not None or self._abandoned:
            return None
        return GARBAGE if stream.unread else _CUT

    def _update_owner(self, error: str | None) -> None:
        owner = self.owner
        if owner is None:
            return
        stream = self.stream
        if error is not None:
            mid_stream = stream.first > 0 and stream.summary.error is None and error != GARBAGE
            failed(owner, error, cut=mid_stream)
        owner.waiting_for = "server"
        if owner.breakdown is not None:
            owner.breakdown.model_wait += (stream.first or self._last) - self._sent
            if stream.first:
                owner.breakdown.model_stream += stream.latest - stream.first

    def _record(self, error: str | None) -> None:
        # Started only now: it has no children, and a span is cheapest when it is started with all its attributes.
        telemetry = self._hooks.telemetry
        self._sum_up()
        labels: Attributes = {
            names.GEN_AI_OPERATION: names.SPAN_MODEL,
            names.GEN_AI_PROVIDER: _PROVIDER,
            names.GEN_AI_REQUEST_MODEL: self._model,
        }
        attributes = labels | self._request_attributes() | self._response_attributes(error)
        name = f"{names.SPAN_MODEL} {self._model}"
        span = telemetry.start_span(name, self._sent + self._offset, attributes, self.parent, SpanKind.CLIENT)
        self._record_metrics(context_of(span), labels, error)
        end = max(self._last, self._sent + SHORTEST) + self._offset
        if self._hooks.content is not None and self.content is not None:
            self._hooks.content.end_model(span, end, self.content, error is not None)
            self.content = None
        else:
            telemetry.end_span(span, end, error=error is not None)

    def _sum_up(self) -> None:
        summary = self.stream.summary
        if summary.cost is None and self._hooks.prices is not None:
            self._hooks.prices.apply(self._model, summary)
        if self._work is not None:
            self._work.usage.add(summary)
        if self.owner is not None:
            self.owner.usage = self.owner.usage or Usage()
            self.owner.usage.add(summary)

    def _request_attributes(self) -> Attributes:
        attributes: Attributes = {}
        for key, sent in self._parameters.items():
            name, read = _PARAMETERS[key]
            if (value := read(sent)) is not None:
                attributes[name] = value
        with suppress(ValueError):  # an address that requests would not take
            address = urlsplit(self._url)
            attributes[names.SERVER_PORT] = address.port or (443 if address.scheme == "https" else 80)
            attributes[names.SERVER_ADDRESS] = harmless(address.hostname) or names.OTHER
        if self.owner is not None and self.owner.session_id is not None:
            attributes[names.SESSION_ID] = attributes[names.GEN_AI_CONVERSATION] = self.owner.session_id
        return attributes

    def _response_attributes(self, error: str | None) -> dict[str, Any]:
        stream, summary = self.stream, self.stream.summary
        attributes = {
            names.ERROR_TYPE: error,
            names.HTTP_STATUS: self._status,
            names.MODEL_CHUNKS: stream.chunks,
            names.MODEL_BYTES: stream.size,
            names.MODEL_UNREAD: stream.unread or None,
            names.GEN_AI_RESPONSE_MODEL: harmless(summary.model),
            names.GEN_AI_RESPONSE_ID: harmless(summary.response_id),
            names.MODEL_ABANDONED: self._abandoned or None,
        }
        known: dict[str, Any] = {name: value for name, value in attributes.items() if value is not None}
        reason = harmless(summary.finish_reason)
        if reason is None and (error is not None or not stream.done):
            reason = _NO_REASON
        if reason is not None:
            known[names.GEN_AI_FINISH_REASONS] = (reason,)
        if stream.first:
            known[names.GEN_AI_FIRST_CHUNK] = (stream.first - self._sent) / SECOND
            if (tokens := summary.output_tokens or 0) > 1 and stream.outputs > 1:
                known[names.MODEL_TIME_PER_TOKEN] = (stream.latest - stream.first) / (tokens - 1) / SECOND
        return known | summary.attributes(OF_CALL)

    def _record_metrics(self, context: Context, labels: Attributes, error: str | None) -> None:
        telemetry, stream, summary = self._hooks.telemetry, self.stream, self.stream.summary
        with_error = labels | failure(error)
        telemetry.model_duration.record((self._last - self._sent) / SECOND, with_error, context)
        telemetry.call_input.record(summary.input_tokens or 0, with_error, context)
        telemetry.call_output.record(summary.output_tokens or 0, with_error, context)
        if stream.first:
            telemetry.model_first_chunk.record((stream.first - self._sent) / SECOND, labels, context)
        if len(stream.times) > 1:
            gaps = [gap / SECOND for gap in map(sub, islice(stream.times, 1, None), stream.times)]
            stream.times.clear()
            telemetry.record_all(telemetry.model_chunk, gaps, labels, context)
        agent = self._work.name if self._work is not None else None
        usage = (names.SPAN_MODEL, _PROVIDER, self._model, _MODALITY, agent)
        # A call that used none, or of which it is not known, counts as 0: so the conventions want it.
        telemetry.add(names.METRIC_INPUT_TOKENS, usage, summary.input_tokens or 0)
        telemetry.add(names.METRIC_OUTPUT_TOKENS, usage, summary.output_tokens or 0)
        telemetry.add(names.METRIC_CACHE_READ, usage, summary.cache_read or 0)
        telemetry.add(names.METRIC_CACHE_WRITE, usage, summary.cache_write or 0)
        telemetry.add(names.METRIC_REASONING, usage, summary.reasoning or 0)
        if summary.cost is not None:
            telemetry.add(names.METRIC_COST, (self._model, agent, CURRENCY, summary.cost_source), summary.cost)


# The call whose generator was made last: the thread that its first step starts is the one that will read the stream.
_OPENING: Final[ContextVar[ModelCall | None]] = ContextVar("ailoop_otel_opening", default=None)
# The call that the running thread makes.
_MAKING: Final[ContextVar[ModelCall | None]] = ContextVar("ailoop_otel_making", default=None)


def stream_hook(host: HookHost) -> Callable[..., Any]:
    """Wraps the generator of a model's chunks: the call belongs to the message in whose context it is made."""

    def made(hooks: HookContext, chunks: Any, args: Any, kwargs: Any) -> None:
        owner = hooks.owner()
        parent = get_current() if owner is not None else hooks.parent(None)
        _OPENING.set(ModelCall(hooks, owner, parent, chunks))

    return returned(host, made)


def start_hook(host: HookHost) -> Callable[..., Any]:
    """Wraps `Thread.start`: only the thread that reads a model's stream takes the context along."""

    def start(wrapped: Callable[..., Any], thread: threading.Thread, args: Any, kwargs: Any) -> Any:
        call = _OPENING.get()
        if call is not None and call.opening:
            with host.guard:
                _OPENING.set(None)
                context = copy_context()
                context.run(_MAKING.set, call)
                run = thread.run
                # Sentry's SDK wraps what it finds here and calls it with the thread, as it would the class's method.
                thread.run = lambda *_: context.run(run)  # type: ignore[method-assign]
        return wrapped(*args, **kwargs)

    return start


def post_hook(host: HookHost) -> Callable[..., Any]:
    """Wraps `requests.post`: one outside of a model call is not observed."""

    def post(wrapped: Callable[..., Any], instance: Any, args: Any, kwargs: Any) -> Any:
        call = _MAKING.get()
        if call is None or call.ended:
            return wrapped(*args, **kwargs)
        with host.guard:
            call.sending(argument(args, kwargs, 0, "url"), kwargs.get("json"))
        try:
            # With opentelemetry-instrumentation-requests there would be a second span.
            with suppress_http_instrumentation():
                response = wrapped(*args, **kwargs)
        except BaseException as fault:
            with host.guard:
                call.end(type(fault).__name__)
            raise
        with host.guard:
            call.responded(response.status_code)
            if not call.ended:
                response.iter_lines = _observed_lines(call, response.iter_lines, host.guard)
        return response

    return post


def _observed_lines(call: ModelCall, iter_lines: Callable[..., Iterator[bytes]], guard: Guard) -> Callable[..., Any]:
    stream, caught = call.stream, guard.caught
    # With content capture every line has to be read.
    output = call.content.output if call.content is not None else None

    def lines(*args: Any, **kwargs: Any) -> Iterator[bytes]:
        error: str | None = None
        # The usual line is counted here, in local variables, and the barrier is written out: a method that is called,
        # or a field that is written, for each line would cost as much as all the rest.
        now, came, outputs, size, last = stream.now, stream.times.append, 0, 0, b""
        shortest, longest, place, sign, span, other = stream.shape
        try:
            for line in iter_lines(*args, **kwargs):
                try:
                    if line:
                        length = len(line)
                        if shortest < length and line[place] == sign and (length < longest or line[span] == other):
                            came(now())
                            outputs += 1
                            size += length
                            last = line
                        else:
                            stream.line(line)
                            shortest, longest, place, sign, span, other = stream.shape
                        if output is not None:
                            output.line(line)
                except Exception as fault:
                    if not caught(fault):
                        raise
                yield line
        except BaseException as fault:
            error = stream.failure(fault)
            raise
        finally:
            with guard:
                stream.add(outputs, size, last)
                call.end(error)

    return lines
