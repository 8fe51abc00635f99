"""Every function of the rooms that stand between a client and the server, each to be broken in its turn."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import CodeType, FunctionType, ModuleType
from typing import Any

from ailoop_otel.protocol import answer, delegates, dialect, foreign, jsonrpc, registry, stateless, traits
from ailoop_otel.recording import spans, telemetry
from ailoop_otel.recording.fast import spans as fast_spans
from ailoop_otel.tracking import exchange, sessions, usage, watchdog
from ailoop_otel.wire import calls, connection, correlation, middleware, socket, state

ROOMS: tuple[ModuleType, ...] = (
    answer, calls, connection, correlation, delegates, dialect, exchange, fast_spans, foreign, jsonrpc, middleware,
    registry, sessions, socket, spans, state, stateless, telemetry, traits, usage, watchdog,
)  # fmt: skip


class Injected(RuntimeError):
    """A fault of the package."""


@dataclass(frozen=True)
class Hook:
    """A function, or one that is made anew each time `maker` runs (`code` is its own then)."""

    name: str
    maker: FunctionType
    code: CodeType

    @contextmanager
    def broken(self) -> Iterator[Striker]:
        """Make it raise whenever it is called."""
        striker = Striker()
        original = self.maker.__code__
        raising = striker.code(self.code)
        if self.code is not original:
            constants = tuple(raising if constant is self.code else constant for constant in original.co_consts)
            raising = original.replace(co_consts=constants)
        self.maker.__code__ = raising
        try:
            yield striker
        finally:
            self.maker.__code__ = original


class Striker:
    """Raises, and counts how often."""

    def __init__(self) -> None:
        self.hits = 0

    def strike(self) -> None:
        """Raise."""
        self.hits += 1
        raise Injected

    def code(self, instead: CodeType) -> CodeType:
        """Code that does it, to be put in the place of other code, whoever holds the function."""

        def template(*_: Any, **__: Any) -> None:
            "striker".strike()  # type: ignore[attr-defined]

        code = template.__code__
        constants = tuple(self if constant == "striker" else constant for constant in code.co_consts)
        return code.replace(co_consts=constants, co_freevars=instead.co_freevars, co_name=instead.co_name)


def hooks() -> list[Hook]:
    """All of them, by name; what the server itself awaits is none, nor is what only describes a type."""
    found = {hook.name: hook for room in ROOMS for hook in _of_room(room)}
    return [found[name] for name in sorted(found)]


def _of_room(room: ModuleType) -> Iterator[Hook]:
    for owner in [room, *(value for value in vars(room).values() if _is_own_class(value, room))]:
        for name, value in vars(owner).items():
            function = inspect.unwrap(getattr(value, "fget", None) or getattr(value, "__func__", value))
            if isinstance(function, FunctionType) and function.__module__ == room.__name__ and not _is_made(function):
                prefix = room.__name__ if owner is room else f"{room.__name__}.{owner.__name__}"
                yield from _of_function(f"{prefix}.{name}".removeprefix("ailoop_otel."), function)


def _is_own_class(value: object, room: ModuleType) -> bool:
    if not inspect.isclass(value) or value.__module__ != room.__name__:
        return False
    return not getattr(value, "_is_protocol", False) and not issubclass(value, BaseException)


def _is_made(function: FunctionType) -> bool:
    """Whether `dataclass` made it, other than to be called by us."""
    return function.__code__.co_filename == "<string>" and function.__name__ != "__init__"


def _of_function(name: str, function: FunctionType) -> Iterator[Hook]:
    code = function.__code__
    if not code.co_flags & inspect.CO_COROUTINE:
        yield Hook(name, function, code)
    for inner in code.co_consts:
        if inspect.iscode(inner) and inner.co_name.isidentifier() and not inner.co_flags & inspect.CO_COROUTINE:
            yield Hook(f"{name}.{inner.co_name}", function, inner)
