"""Switching on and off: the one runtime of this process, what is wrapped for it, and the middleware.

Without the instrumentor: its base class reads the requirements of installed packages, which a server that is switched
on by its environment does not need.
"""

from __future__ import annotations

from typing import Any, Final

from ailoop_otel.runtime import Runtime
from ailoop_otel.server.first_application import FIRST
from ailoop_otel.server.patching import Patches
from ailoop_otel.server.stack import insert, leave_alone, stack_targets
from ailoop_otel.server.targets import TARGETS
from ailoop_otel.wire.middleware import App, Observer

RUNTIME: Final = Runtime()
PATCHES: Final = Patches(RUNTIME)


class AILoopMiddleware(Observer):
    """The ASGI middleware, for `app.add_middleware(AILoopMiddleware)`; a second one in the same app does nothing."""

    def __init__(self, app: App) -> None:
        super().__init__(app, RUNTIME)
        # However this middleware was added: FastAPI's instrumentation must not add WebSocket spans of its own.
        with RUNTIME.guard:
            if RUNTIME.enabled:
                arm()


class Switch:
    """Whether this process is instrumented; switched on twice is once."""

    def __init__(self) -> None:
        self._on = False

    @property
    def is_on(self) -> bool:
        """Whether it is on, or will be with the first application."""
        return self._on or FIRST.waiting

    def on(self) -> None:
        """Wrap what is to be wrapped, and observe the applications that are built from now on."""
        FIRST.stop()
        if self._on:
            return
        RUNTIME.switch_on()
        with RUNTIME.guard:
            arm()
        self._on = True

    def off(self) -> None:
        """Put everything back; applications that are serving keep the middleware, which then only passes on."""
        FIRST.stop()
        with RUNTIME.guard:
            PATCHES.undo()
            RUNTIME.switch_off()
        self._on = False


SWITCH: Final = Switch()


def arm() -> None:
    """Wrap the functions of the web framework and of the server, once."""
    if not PATCHES.armed:
        PATCHES.apply(stack_targets(RUNTIME.guard, AILoopMiddleware) + TARGETS)


def observe(app: Any, scope: Any) -> None:
    """Observe an application that was found before its class was wrapped, called for a WebSocket's `scope` if any."""
    insert(app, AILoopMiddleware, RUNTIME.guard)
    if scope is not None:
        leave_alone(scope)
