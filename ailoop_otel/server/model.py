"""Model calls: the server streams them through a plain `requests.post` in a bare thread."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextvars import ContextVar, copy_context
from typing import Any, Final

from opentelemetry.context import get_current
from opentelemetry.instrumentation.utils import suppress_http_instrumentation

from ailoop_otel.guard import Guard
from ailoop_otel.server.call import ModelCall
from ailoop_otel.server.inside import Host

# The call whose stream is being opened: the thread that is started meanwhile is the one that will read it.
_OPENING: Final[ContextVar[ModelCall | None]] = ContextVar("ailoop_otel_opening", default=None)
# The call that the running thread makes.
_MAKING: Final[ContextVar[ModelCall | None]] = ContextVar("ailoop_otel_making", default=None)


class ObservedStream:
    """An async generator's items as they are, with the call known to the thread that its first step starts."""

    def __init__(self, call: ModelCall, inner: Any) -> None:
        self._call = call
        self._inner = inner
        self._started = False

    def __aiter__(self) -> AsyncIterator[Any]:
        """Itself."""
        return self

    async def __anext__(self) -> Any:
        """The next item; the first step is the one that starts the thread."""
        opening, self._started = not self._started, True
        if opening:
            _OPENING.set(self._call)
        try:
            return await self._inner.__anext__()
        except StopAsyncIteration:
            raise
        except BaseException:
            # Cancelled: an async generator that failed is over, and the thread knows nothing of it.
            self._call.abandoned = self._call.abandoned or self._call.open
            raise
        finally:
            if opening:
                _OPENING.set(None)

    async def asend(self, value: Any) -> Any:
        """As a generator's."""
        return await self._inner.asend(value)

    async def athrow(self, *fault: Any) -> Any:
        """As a generator's."""
        return await self._inner.athrow(*fault)

    async def aclose(self) -> None:
        """Nobody listens any more, though the thread may read on."""
        self._call.abandoned = self._call.open
        await self._inner.aclose()

    def __del__(self) -> None:
        """As `aclose`: an async generator that is dropped is not always closed."""
        self._call.abandoned = self._call.abandoned or self._call.open


def stream_hook(host: Host) -> Callable[..., Any]:
    """Wraps the generator of a model's chunks: the call belongs to the message in whose context it is made."""

    def stream(wrapped: Callable[..., Any], service: Any, args: Any, kwargs: Any) -> Any:
        inner = wrapped(*args, **kwargs)
        with host.guard:
            inside = host.inside()
            if inside is not None:
                owner = inside.owner()
                parent = get_current() if owner is not None else inside.parent(None)
                return ObservedStream(ModelCall(inside, owner, parent), inner)
        return inner

    return stream


def start_hook(host: Host) -> Callable[..., Any]:
    """Wraps `Thread.start`: only the thread that reads a model's stream takes the context along."""

    def start(wrapped: Callable[..., Any], thread: threading.Thread, args: Any, kwargs: Any) -> Any:
        call = _OPENING.get()
        if call is not None:
            with host.guard:
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
    def lines(*args: Any, **kwargs: Any) -> Iterator[bytes]:
        error: str | None = None
        take = call.line if call.content is None else call.line_with_content
        try:
            for line in iter_lines(*args, **kwargs):
                with guard:
                    if line:
                        take(line)
                yield line
        except GeneratorExit:
            raise
        except BaseException as fault:
            error = type(fault).__name__
            raise
        finally:
            with guard:
                call.end(error)

    return lines
