"""Where the web framework lets us in, and where other instrumentation is asked to leave AILoop's sockets to us."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ailoop_otel.guard import Guard
from ailoop_otel.recording.internals import FASTAPI_KEY, is_stack_built
from ailoop_otel.server.patching import Target


def is_ailoop(app: Any) -> bool:
    """Whether an application is AILoop's: it has a WebSocket route. Its MCP server's, in a thread, has none."""
    while not hasattr(app, "routes") and hasattr(app, "app"):
        app = app.app  # a middleware around it
    return _has_websocket(app)


def _has_websocket(node: Any) -> bool:
    # Newer FastAPI keeps an included router as a route of its own.
    routes = getattr(getattr(node, "original_router", node), "routes", ())
    return type(node).__name__.endswith("WebSocketRoute") or any(_has_websocket(route) for route in routes)


def scope_of(args: Any, kwargs: Any) -> Any:
    """The scope that an application is called with; uvicorn calls it with nothing, to see if it is a factory."""
    return args[0] if args else kwargs.get("scope", {})


def stack_targets(guard: Guard, middleware: Any) -> tuple[Target, ...]:
    """The framework's functions by which `middleware` gets to the head of AILoop's application, exactly once."""

    def insert(app: Any) -> None:
        with guard:
            classes = [getattr(entry, "cls", None) for entry in app.user_middleware]
            if middleware not in classes and is_ailoop(app):
                from starlette.middleware import Middleware

                app.user_middleware.insert(0, Middleware(middleware))

    def build(wrapped: Callable[..., Any], app: Any, args: Any, kwargs: Any) -> Any:
        insert(app)
        return wrapped(*args, **kwargs)

    def call(wrapped: Callable[..., Any], app: Any, args: Any, kwargs: Any) -> Any:
        with guard:
            scope = scope_of(args, kwargs)
            if not is_stack_built(app):
                # Somebody took hold of `build_middleware_stack` before we did.
                insert(app)
            if scope.get("type") == "websocket" and is_ailoop(app):
                scope.setdefault(FASTAPI_KEY, None)
        return wrapped(*args, **kwargs)

    def let_through(wrapped: Callable[..., Any], instrumentation: Any, args: Any, kwargs: Any) -> Any:
        with guard:
            scope = scope_of(args, kwargs)
            kind = scope.get("type")
            if kind in ("http", "websocket") and is_ailoop(scope.get("app") or instrumentation.app):
                # From here on it would be a second span.
                scope.setdefault(FASTAPI_KEY, None)
                if kind == "websocket":
                    return instrumentation.app(*args, **kwargs)
        return wrapped(*args, **kwargs)

    return (
        Target("starlette.applications", "Starlette.build_middleware_stack", build),
        Target("starlette.applications", "Starlette.__call__", call),
        Target("fastapi.applications", "FastAPI.build_middleware_stack", build),
        Target("fastapi.applications", "FastAPI.__call__", call),
        Target("opentelemetry.instrumentation.asgi", "OpenTelemetryMiddleware.__call__", let_through),
    )
