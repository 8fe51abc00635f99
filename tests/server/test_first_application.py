"""Until there is an application of AILoop its framework's methods are wrapped by something light, and then no more."""

from __future__ import annotations

import asyncio
import inspect
import sys
from types import ModuleType
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import Route, WebSocketRoute

from ailoop_otel import autostart
from ailoop_otel.server.first_application import CLASSES, MODULES, OTHERS, FirstApplication


async def talk(*_: Any) -> None:
    """An endpoint."""


class Framework(Starlette):
    """An application class of its own, so that the real one is left alone."""

    def build_middleware_stack(self) -> Any:
        """As FastAPI, which has its own."""
        return super().build_middleware_stack()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """As FastAPI, which has its own."""
        await super().__call__(scope, receive, send)


def framework() -> ModuleType:
    """A module that looks like FastAPI's."""
    module = ModuleType("fastapi.applications")
    module.FastAPI = type("FastAPI", (Framework,), dict(vars(Framework)))  # type: ignore[attr-defined]
    return module


@pytest.fixture
def found() -> list[tuple[Any, Any]]:
    """What was found."""
    return []


@pytest.fixture
def first() -> FirstApplication:
    """One that waits for nothing yet."""
    return FirstApplication()


def test_the_first_with_a_websocket_is_found_once(first: FirstApplication, found: list[Any]) -> None:
    """Not one without; and of the second nothing is said."""
    module = framework()
    first.watch(module, lambda *what: found.append(what))
    assert first.waiting
    module.FastAPI(routes=[Route("/", talk)]).build_middleware_stack()
    assert found == []
    app = module.FastAPI(routes=[WebSocketRoute("/ws", talk)])
    app.build_middleware_stack()
    module.FastAPI(routes=[WebSocketRoute("/ws", talk)]).build_middleware_stack()
    assert found == [(app, None)]
    assert not first.waiting


def test_the_originals_are_back(first: FirstApplication, found: list[Any]) -> None:
    """The very objects, before the application is told of; what somebody wrapped since stays and works."""
    module = framework()
    before = dict(vars(module.FastAPI))
    first.watch(module, lambda app, _: found.append(dict(vars(type(app))) == before))
    assert vars(module.FastAPI)["__call__"] is not before["__call__"]
    module.FastAPI(routes=[WebSocketRoute("/ws", talk)]).build_middleware_stack()
    assert found == [True]
    again = FirstApplication()
    again.watch(module, lambda *what: found.append(what))
    ours = module.FastAPI.build_middleware_stack
    module.FastAPI.build_middleware_stack = theirs = lambda app: ours(app)
    again.stop()
    assert vars(module.FastAPI)["build_middleware_stack"] is theirs
    module.FastAPI(routes=[WebSocketRoute("/ws", talk)]).build_middleware_stack()
    assert found == [True]


async def test_a_websocket_finds_it_too(first: FirstApplication, found: list[Any]) -> None:
    """Without a lifespan it is the first to come; other kinds wait for the stack to be built."""
    module = framework()
    first.watch(module, lambda *what: found.append(what))
    app = module.FastAPI(routes=[WebSocketRoute("/ws", talk)])
    app.middleware_stack = talk
    await app({"type": "http"}, talk, talk)
    assert found == []
    scope = {"type": "websocket"}
    await app(scope, talk, talk)
    assert found == [(app, scope)]


def test_it_looks_like_an_application_all_the_time(first: FirstApplication, found: list[Any]) -> None:
    """Servers ask whether calling it makes a coroutine, and call it with nothing to see whether it is a factory."""
    module = framework()
    first.watch(module, lambda *what: found.append(what))
    app = module.FastAPI()
    assert inspect.iscoroutinefunction(app.__call__)
    assert asyncio.iscoroutinefunction(app.__call__)
    with pytest.raises(TypeError):
        app()


def test_strange_routes_are_no_application_of_ours(first: FirstApplication, found: list[Any]) -> None:
    """Somebody's class may have something else of that name."""
    module = framework()
    first.watch(module, lambda *what: found.append(what))
    module.FastAPI.routes = 1
    module.FastAPI.build_middleware_stack(type("Odd", (module.FastAPI,), {"routes": 1})(middleware=[]))
    assert found == []


def test_who_instruments_applications_is_found_at_once(first: FirstApplication, found: list[Any]) -> None:
    """It makes spans of what we have not wrapped yet; OpenTelemetry is imported anyway."""
    first.watch(ModuleType(OTHERS), lambda *what: found.append(what))
    assert found == [(None, None)]


def test_stopped_before_the_import(first: FirstApplication, found: list[Any]) -> None:
    """Nothing is wrapped any more."""
    module = framework()
    before = dict(vars(module.FastAPI))
    first.stop()
    first.watch(module, lambda *what: found.append(what))
    assert dict(vars(module.FastAPI)) == before
    assert not first.waiting


def test_both_lists_of_modules_are_one() -> None:
    """The start-up file's function imports nothing to know them."""
    assert autostart._OCCASIONS == MODULES
    assert set(CLASSES) < set(MODULES)


def test_a_module_does_not_get_to_see_the_loader(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has the loader that it would have, also while it is executed; looking for it without importing is harmless."""
    name = "module_to_be_followed"
    (tmp_path / f"{name}.py").write_text("seen = type(__loader__).__name__, type(__spec__.loader).__name__\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(autostart, "_OCCASIONS", (name,))
    imported: list[Any] = []
    monkeypatch.setattr(autostart, "imported", imported.append)
    monkeypatch.setattr(sys, "meta_path", [autostart.Occasion(), *sys.meta_path])
    from importlib.util import find_spec

    assert find_spec(name) is not None
    assert imported == []
    module = __import__(name)
    monkeypatch.delitem(sys.modules, name)
    assert imported == [module]
    assert module.seen == ("SourceFileLoader", "SourceFileLoader")
    assert type(module.__spec__.loader).__name__ == "SourceFileLoader"
