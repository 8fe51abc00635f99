"""Waits for the first application of AILoop, so that a process that never builds one imports nothing for it.

Other web applications, tools and tests import the same web framework in an environment that is inherited. Until an
application with the WebSocket route of a known dialect builds its middleware stack, two methods of each framework class
are wrapped by plain functions, and nothing of OpenTelemetry is imported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import wraps
from types import ModuleType
from typing import Any, Final

# The classes of applications, by module, and what else is a reason: who has it imported instruments applications too,
# and has OpenTelemetry anyway.
CLASSES: Final = {"starlette.applications": "Starlette", "fastapi.applications": "FastAPI"}
OTHERS: Final = "opentelemetry.instrumentation.asgi"
MODULES: Final = (*CLASSES, OTHERS)

# Called with the application that was found and the WebSocket's scope if there is one; with None and None for OTHERS.
Found = Callable[[Any, Any], None]


def is_ailoop(app: Any) -> bool:
    """Whether an application is AILoop's: it has a WebSocket route where one of the known dialects has it.

    Its MCP server's, in a thread, has none; any other application's is another's, and so is its telemetry.
    """
    while not hasattr(app, "routes") and hasattr(app, "app"):
        app = app.app  # a middleware around it
    paths = [path for path in _websocket_paths(app) if "{" not in path]
    if not paths:
        return False
    from ailoop_otel.protocol.registry import DIALECTS

    return any(path.endswith(DIALECTS.paths) for path in paths)


def _websocket_paths(node: Any) -> Iterator[str]:
    if type(node).__name__.endswith("WebSocketRoute"):
        yield str(getattr(node, "path", ""))
    # Newer FastAPI keeps an included router as a route of its own.
    for route in getattr(getattr(node, "original_router", node), "routes", ()):
        yield from _websocket_paths(route)


class FirstApplication:
    """Calls `found` once, with the first application of AILoop; `stop` takes all wrappers off again."""

    def __init__(self) -> None:
        self._found: Found | None = None
        self._stopped = False
        self._wrapped: list[tuple[type, str, Any, Any]] = []

    @property
    def waiting(self) -> bool:
        """Whether it waits."""
        return self._found is not None and not self._stopped

    def watch(self, module: ModuleType, found: Found) -> None:
        """Wait for applications of one of `MODULES`, which has just been imported."""
        if self._stopped:
            return
        self._found = found
        owner = getattr(module, CLASSES.get(module.__name__, ""), None)
        if owner is None:
            self._end(None, None)
            return
        self._wrap(owner, "build_middleware_stack", self._builder)
        # FastAPI's own telemetry has made a span of a WebSocket before it builds the stack, if there was no lifespan.
        self._wrap(owner, "__call__", self._caller)

    def stop(self) -> None:
        """Wait no longer, also for what is imported later; a method that somebody wrapped since keeps our wrapper."""
        self._stopped = True
        while self._wrapped:
            owner, name, original, ours = self._wrapped.pop()
            if vars(owner).get(name) is ours:
                setattr(owner, name, original)

    def _wrap(self, owner: type, name: str, wrapper: Callable[[Any], Any]) -> None:
        original = vars(owner).get(name)
        if original is not None:
            ours = wrapper(original)
            setattr(owner, name, ours)
            self._wrapped.append((owner, name, original, ours))

    def _builder(self, original: Any) -> Any:
        @wraps(original)
        def build_middleware_stack(app: Any, *args: Any, **kwargs: Any) -> Any:
            self._look(app, None)
            return original(app, *args, **kwargs)

        return build_middleware_stack

    def _caller(self, original: Any) -> Any:
        # A coroutine function with the same arguments: servers look at both to see what kind of application it is.
        @wraps(original)
        async def call(app: Any, scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "websocket":
                self._look(app, scope)
            await original(app, scope, receive, send)

        return call

    def _look(self, app: Any, scope: Any) -> None:
        try:
            ours = self.waiting and is_ailoop(app)
        except Exception:  # noqa: BLE001 - routes of a strange kind: it is no application of AILoop
            return
        if ours:
            self._end(app, scope)

    def _end(self, app: Any, scope: Any) -> None:
        found = self._found
        self.stop()
        if found is not None:
            found(app, scope)


# The process's own.
FIRST: Final = FirstApplication()
