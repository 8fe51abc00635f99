"""Switching on and off in code: the instrumentor, and the middleware for applications that add it themselves."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from opentelemetry.instrumentation.instrumentor import (  # type: ignore[attr-defined]
    BaseInstrumentor,
)

from ailoop_otel.runtime import Runtime
from ailoop_otel.server.first_application import FIRST
from ailoop_otel.server.patching import Patches
from ailoop_otel.server.stack import insert, leave_alone, stack_targets
from ailoop_otel.server.targets import hook_targets
from ailoop_otel.wire.middleware import App, Observer

# One per process. Not attributes of the instrumentor: it is a singleton whose `__init__` runs at every call.
RUNTIME = Runtime()
PATCHES = Patches(RUNTIME.guard)


class AILoopMiddleware(Observer):
    """The ASGI middleware, for `app.add_middleware(AILoopMiddleware)`; a second one in the same app does nothing."""

    def __init__(self, app: App) -> None:
        super().__init__(app, RUNTIME)
        # However this middleware was added: FastAPI's instrumentation must not add WebSocket spans of its own.
        with RUNTIME.guard:
            if RUNTIME.enabled:
                arm()


class AILoopInstrumentor(BaseInstrumentor):  # type: ignore[misc]
    """Instruments AILoop in this process, like any OpenTelemetry instrumentor: `AILoopInstrumentor().instrument()`."""

    def instrumentation_dependencies(self) -> Collection[str]:
        """None: functions that this server does not have are left out."""
        return ()

    # The base class keeps this in a private field.
    _on = False

    @property
    def is_instrumented_by_opentelemetry(self) -> bool:
        """Whether it is switched on, or will be with the first application."""
        return self._on or FIRST.waiting

    def instrument(self, **kwargs: Any) -> None:
        """Switch on; a second call does nothing."""
        if not self._on:
            self._instrument(**kwargs)
            type(self)._on = True

    def uninstrument(self, **kwargs: Any) -> None:
        """Switch off; applications that are serving keep the middleware, which then only passes everything on."""
        self._uninstrument(**kwargs)
        type(self)._on = False

    def _instrument(self, **kwargs: Any) -> None:
        FIRST.stop()
        RUNTIME.switch_on()
        with RUNTIME.guard:
            arm()

    def _uninstrument(self, **kwargs: Any) -> None:
        FIRST.stop()
        with RUNTIME.guard:
            PATCHES.undo()
            RUNTIME.switch_off()


def arm() -> None:
    """Wrap the functions of the web framework and of the server, once."""
    if not PATCHES.armed:
        PATCHES.apply(stack_targets(RUNTIME.guard, AILoopMiddleware) + hook_targets(RUNTIME))


def observe(app: Any, scope: Any) -> None:
    """Observe an application that was found before its class was wrapped, called for a WebSocket's `scope` if any."""
    insert(app, AILoopMiddleware, RUNTIME.guard)
    if scope is not None:
        leave_alone(scope)
