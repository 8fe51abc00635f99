"""What the server's process uses, and how late its event loop runs."""

from __future__ import annotations

from ailoop_otel.guard import Guard
from ailoop_otel.process.loop import LoopLag
from ailoop_otel.process.sampling import Callback, Observers

__all__ = ["Callback", "LoopLag", "Observers", "observers"]


def observers(guard: Guard) -> Observers:
    """The process's metrics with their callbacks, which never raise and fall silent after `stop()`."""
    return Observers(guard)
