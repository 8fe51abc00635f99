"""What begins anew in a forked child, which has its parent's memory but none of its threads."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Final
from weakref import WeakMethod

from ailoop_otel.guard import tried, warn

_BEGINNINGS: Final[list[WeakMethod[Callable[[], Any]]]] = []


def begin_anew(method: Callable[[], Any]) -> None:
    """Call a bound method in each forked child, in the order of these calls, for as long as its object exists.

    Before any other thread runs there: a lock that is made anew cannot be held by anybody.
    """
    # Without those whose objects are gone: a callback of a weak method would print an error at interpreter exit.
    _BEGINNINGS[:] = [*(each for each in _BEGINNINGS if each() is not None), WeakMethod(method)]


def begin(method: Callable[[], Any]) -> None:
    """Call a bound method, and as `begin_anew` in each forked child."""
    method()
    begin_anew(method)


def _begin_all() -> None:
    for reference in _BEGINNINGS:
        method = reference()
        if method is not None:
            _, fault = tried(method)
            if fault is not None:
                warn(f"{type(fault).__name__} in a forked child: its telemetry may hold its parent's")


# Once, as it cannot be undone. Windows does not fork.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_all)
