"""Which applications are AILoop's, and what is put in front of them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI, WebSocket
from starlette.applications import Starlette
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Host, Mount, Route, WebSocketRoute

from ailoop_otel.activation import RUNTIME
from ailoop_otel.guard import Guard
from ailoop_otel.recording.internals import FASTAPI_KEY
from ailoop_otel.server.first_application import is_ailoop
from ailoop_otel.server.patching import Target
from ailoop_otel.server.stack import stack_targets


class Mark:
    """Stands for the middleware."""


async def talk(websocket: WebSocket) -> None:
    """An endpoint."""


def plain() -> FastAPI:
    """The route stands in the application."""
    app = FastAPI()
    app.add_api_websocket_route("/ws", talk)
    return app


def included() -> FastAPI:
    """The route stands in a router within a router."""
    inner, outer, app = APIRouter(), APIRouter(), FastAPI()
    inner.add_api_websocket_route("/ws", talk)
    outer.include_router(inner, prefix="/inner")
    app.include_router(outer, prefix="/outer")
    return app


def mounted() -> Starlette:
    """The route stands in an application that is mounted."""
    return Starlette(routes=[Mount("/chat", app=Starlette(routes=[Host("a", app=plain())]))])


def starlette() -> Starlette:
    """No FastAPI at all."""
    return Starlette(routes=[WebSocketRoute("/ws", talk)])


def wrapped() -> CORSMiddleware:
    """The application has middlewares around it."""
    return CORSMiddleware(CORSMiddleware(plain()))


@pytest.mark.parametrize("make", [plain, included, mounted, starlette, wrapped])
def test_an_application_with_a_websocket_route_is_ailoop(make: Any) -> None:
    """Wherever the route stands."""
    assert is_ailoop(make())


def no_socket() -> Starlette:
    """Like AILoop's MCP server: a stream of events and a mounted handler."""
    return Starlette(routes=[Route("/sse", talk), Mount("/messages/", app=talk)])


def stranger(path: str) -> FastAPI:
    """Another application with a WebSocket."""
    app = FastAPI()
    app.add_api_websocket_route(path, talk)
    return app


@pytest.mark.parametrize(
    "make",
    [
        no_socket, FastAPI, lambda: talk, lambda: CORSMiddleware(no_socket()), lambda: stranger("/news"),
        lambda: stranger("/news/{topic}/ws"), lambda: stranger("/"), lambda: stranger("/wss"),
    ],
)  # fmt: skip
def test_other_applications_are_not(make: Any) -> None:
    """An application without AILoop's route is another one's, and so is what is no application at all."""
    assert not is_ailoop(make())


def test_the_middleware_is_put_first_and_once() -> None:
    """It stands before the application's own, and a second time finds the first."""
    app = plain()
    app.add_middleware(CORSMiddleware)
    build = hook("FastAPI.build_middleware_stack")
    for _ in range(2):
        assert build(lambda: "stack", app, (), {}) == "stack"
    assert [entry.cls for entry in app.user_middleware] == [Mark, CORSMiddleware]


def test_another_application_gets_no_middleware() -> None:
    """An application without a websocket route is left as it is."""
    app = no_socket()
    hook("Starlette.build_middleware_stack")(lambda: "stack", app, (), {})
    assert app.user_middleware == []


def test_a_strangers_websocket_keeps_its_spans() -> None:
    """FastAPI's own telemetry and the ASGI instrumentation trace it, unless somebody has added our middleware to it."""
    app, seen = stranger("/news"), []
    for _ in range(2):
        scope = {"type": "websocket", "app": app}
        hook("FastAPI.__call__")(lambda *_: None, app, (scope,), {})
        through = hook("OpenTelemetryMiddleware.__call__")(lambda *_: "traced", SimpleNamespace(app=str), (scope,), {})
        seen.append((FASTAPI_KEY in scope, through == "traced"))
        app.add_middleware(Mark)
    assert seen == [(False, True), (True, False)]


def test_the_factory_question_is_passed_on() -> None:
    """uvicorn may call an application without arguments, to see whether it is a factory: the original answers."""
    asked = []
    hook("FastAPI.__call__")(lambda *args, **kwargs: asked.append((args, kwargs)), plain(), (), {})
    assert asked == [((), {})]


def hook(path: str) -> Any:
    """The wrapper of one target."""
    targets: tuple[Target, ...] = stack_targets(Guard(strict=True), Mark)
    (found,) = (each for each in targets if each.path == path)
    return found.hook(RUNTIME)
