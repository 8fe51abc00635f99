"""Model calls: the server streams them through a plain `requests.post` in a bare thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextvars import ContextVar, copy_context
from typing import Any, Final

from opentelemetry.context import get_current
from opentelemetry.instrumentation.utils import suppress_http_instrumentation

from ailoop_otel.guard import Guard
from ailoop_otel.server.call import ModelCall
from ailoop_otel.server.inside import Host
from ailoop_otel.server.sse import DATA, WHOLE

# The call whose stream was made last: the thread that the stream's first step starts is the one that will read it.
_OPENING: Final[ContextVar[ModelCall | None]] = ContextVar("ailoop_otel_opening", default=None)
# The call that the running thread makes.
_MAKING: Final[ContextVar[ModelCall | None]] = ContextVar("ailoop_otel_making", default=None)


def stream_hook(host: Host) -> Callable[..., Any]:
    """Wraps the generator of a model's chunks: the call belongs to the message in whose context it is made."""

    def stream(wrapped: Callable[..., Any], service: Any, args: Any, kwargs: Any) -> Any:
        inner = wrapped(*args, **kwargs)
        with host.guard:
            inside = host.inside()
            if inside is not None:
                owner = inside.owner()
                parent = get_current() if owner is not None else inside.parent(None)
                _OPENING.set(ModelCall(inside, owner, parent, inner))
        return inner

    return stream


def start_hook(host: Host) -> Callable[..., Any]:
    """Wraps `Thread.start`: only the thread that reads a model's stream takes the context along."""

    def start(wrapped: Callable[..., Any], thread: threading.Thread, args: Any, kwargs: Any) -> Any:
        call = _OPENING.get()
        if call is not None and call.opening:
            with host.guard:
                _OPENING.set(None)
                context = copy_context()
                context.run(_MAKING.set, call)
                run = thread.run
                thread.run = lambda: context.run(run)  # type: ignore[method-assign]
        return wrapped(*args, **kwargs)

    return start


def post_hook(host: Host) -> Callable[..., Any]:
    """Wraps `requests.post`: one that makes no model call passes."""

    def post(wrapped: Callable[..., Any], instance: Any, args: Any, kwargs: Any) -> Any:
        call = _MAKING.get()
        if call is None or not call.open:
            return wrapped(*args, **kwargs)
        with host.guard:
            call.sending(args[0] if args else kwargs.get("url"), kwargs.get("json"))
        try:
            # One span is enough where opentelemetry-instrumentation-requests is on too.
            with suppress_http_instrumentation():
                response = wrapped(*args, **kwargs)
        except BaseException as fault:
            with host.guard:
                call.end(type(fault).__name__)
            raise
        with host.guard:
            call.responded(response.status_code)
            if call.open:
                response.iter_lines = _observed_lines(call, response.iter_lines, host.guard)
        return response

    return post


def _observed_lines(call: ModelCall, iter_lines: Callable[..., Iterator[bytes]], guard: Guard) -> Callable[..., Any]:
    stream, now, caught = call.stream, call.stream.now, guard.caught
    # Its content has to be read whole.
    answer = call.content.answer if call.content is not None else None
    remember = stream.tail.append

    def lines(*args: Any, **kwargs: Any) -> Iterator[bytes]:
        error: str | None = None
        try:
            for line in iter_lines(*args, **kwargs):
                # The barrier and the usual line spelled out: a call for each would cost as much again.
                try:
                    if stream.flows and line.endswith(WHOLE) and line.startswith(DATA):
                        stream.latest = now()
                        stream.chunks += 1
                        stream.size += len(line) + 1
                        remember(line)
                    elif line:
                        stream.line(line)
                    if answer is not None:
                        answer.line(line)
                except Exception as fault:
                    if not caught(fault):
                        raise
                yield line
        except BaseException as fault:
            error = None if isinstance(fault, GeneratorExit) else type(fault).__name__
            raise
        finally:
            with guard:
                call.end(error)

    return lines
