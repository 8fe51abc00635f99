"""A process of its own: the stand-in serves in it, and each function of the hooks is made to fail in turn.

Prints one JSON line for each: its name, how often it was called, and whether the client saw what it sees otherwise.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import json
import pkgutil
import re
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import uvicorn

from ailoop_otel import server as rooms
from ailoop_otel.instrumentor import RUNTIME, AILoopInstrumentor
from tests.ailoop.client import connected
from tests.ailoop.process import LOOPBACK, free_port

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|\d{4}-\d\d-\d\dT[\d:.+]+|\"id\": \d+")
LOOK = 'x [[tool name=list_directory arguments={"path": "interactive_server"}]] [[say chunks=1]]'
# What makes hooks or is the barrier, and runs before there is a server.
_BEFORE = ("first_application", "targets", "stack", "patching")


Found = tuple[str, Any, str, Any]


def functions() -> Iterator[Found]:
    """Each function and method that the modules of the hooks define: its name, its owner, its attribute, itself."""
    for found in pkgutil.walk_packages(rooms.__path__, f"{rooms.__name__}."):
        place = found.name.removeprefix(f"{rooms.__name__}.")
        if place in _BEFORE:
            continue
        module = import_module(found.name)
        for name, value in list(vars(module).items()):
            if inspect.isfunction(value) and value.__module__ == module.__name__ and not name.endswith("_hook"):
                yield f"{place}.{name}", module, name, value
            elif inspect.isclass(value) and value.__module__ == module.__name__:
                for method, function in list(vars(value).items()):
                    if inspect.isfunction(function) and not method.startswith("__"):
                        yield f"{place}.{name}.{method}", value, method, function


@contextmanager
def failing(owner: Any, name: str, function: Any) -> Iterator[list[int]]:
    """Let a function raise whenever it is called."""
    hits = [0]

    def broken(*args: Any, **kwargs: Any) -> Any:
        hits[0] += 1
        raise RuntimeError("broken on purpose")

    setattr(owner, name, broken)
    try:
        yield hits
    finally:
        setattr(owner, name, function)


@contextmanager
def counted(found: list[Found]) -> Iterator[dict[str, int]]:
    """Count how often each function is called meanwhile."""
    hits = dict.fromkeys((name for name, *_ in found), 0)

    def counting(name: str, function: Any) -> Any:
        @functools.wraps(function)
        def called(*args: Any, **kwargs: Any) -> Any:
            hits[name] += 1
            return function(*args, **kwargs)

        return called

    for name, owner, attribute, function in found:
        setattr(owner, attribute, counting(name, function))
    try:
        yield hits
    finally:
        for _, owner, attribute, function in found:
            setattr(owner, attribute, function)


async def conversation(port: int, dialect: str) -> list[str]:
    """What the client gets to see, without ids and times."""
    async with connected(port, dialect) as client:
        await client.start_session()
        await client.ask("x [[say chunks=1]]")
        if dialect == "stateless":
            await client.ask(LOOK)
            await client.ask("z [[fail status=500]]")
        return [_ID.sub("*", frame.text) for frame in client.frames]


def main(root: str, dialect: str, write: Callable[[str], object] = print) -> None:
    """Serve the stand-in of a generation and try every function."""
    AILoopInstrumentor().instrument()
    sys.path.insert(0, root)
    application = import_module("interactive_server.main").app
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(application, host=LOOPBACK, port=port, log_level="error"))
    threading.Thread(target=server.run, daemon=True).start()
    while not server.started:
        threading.Event().wait(0.02)
    found = list(functions())
    with counted(found) as calls:
        expected = asyncio.run(conversation(port, dialect))
    assert RUNTIME.guard.errors == 0
    for name, owner, attribute, function in found:
        if not calls[name]:
            continue
        with failing(owner, attribute, function) as hits:
            seen = asyncio.run(conversation(port, dialect))
        write(json.dumps({"name": name, "hits": hits[0], "same": seen == expected}))
    server.should_exit = True


if __name__ == "__main__":
    main(str(Path(sys.argv[1]).resolve()), sys.argv[2])
