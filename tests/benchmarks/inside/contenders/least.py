"""The least that a coroutine around `send` can do: look at the frame, count, find whose it is, see a failed send."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

from tests.benchmarks.inside.contender import App, Contender
from tests.benchmarks.inside.script import HEAD

_CURRENT: ContextVar[Any] = ContextVar("least", default=None)


class Least(Contender):
    """The floor of what a chunk can cost."""

    def around(self, application: App) -> App:
        """With a wrapper of `send`."""

        async def wrapped(scope: Any, receive: Any, send: Any) -> None:
            await application(scope, receive, _counting(send))

        return wrapped


def _counting(send: Any) -> Any:
    count = 0
    failed = 0
    current = _CURRENT.get

    async def counting(message: Any) -> None:
        nonlocal count, failed
        text = message.get("text")
        if text is not None and text.startswith(HEAD):
            count += 1
        current()
        try:
            await send(message)
        except Exception:
            failed += 1
            raise

    return counting


def start(variant: str) -> Contender:
    """The floor."""
    return Least()
