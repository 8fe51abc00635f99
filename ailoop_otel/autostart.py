"""Switches on at interpreter start: the start-up file calls `start` where the environment has the variable.

Most of these interpreters are not the server: the server runs Python programs as tools, which inherit its environment.
So nothing else of this package is imported before the process imports a module that only a server needs.
"""

import os
import sys

_VARIABLE = "AILOOP_OTEL_ENABLED"
# A process that imports none of these modules is not an AILoop server.
_OCCASIONS = frozenset({"starlette", "interactive_server", "ai_whisperer"})


class Occasion:
    """A finder in `sys.meta_path` that finds no module, and switches on when the first of `_OCCASIONS` is imported.

    It is not removed afterwards: the import system is iterating over the list and would skip the next finder.
    """

    _waits = True

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        """Return None, so that the other finders find the module."""
        if self._waits and name in _OCCASIONS:
            self._waits = False
            switch_on()


def start() -> None:
    """Switch on when a module of a server is imported, or now if one is; does nothing if the variable is not set."""
    if not os.environ.get(_VARIABLE):
        return
    if _OCCASIONS & sys.modules.keys():
        switch_on()
    elif not any(isinstance(finder, Occasion) for finder in sys.meta_path):
        sys.meta_path.insert(0, Occasion())


def switch_on() -> None:
    """Switch on if the variable is true; a failure is one line on stderr, and the program runs without telemetry."""
    try:
        from ailoop_otel.settings import enabled

        wanted, problem = enabled()
        if problem:
            _say(problem)
        if wanted:
            from ailoop_otel.instrumentor import AILoopInstrumentor

            AILoopInstrumentor().instrument()
    except Exception as fault:  # noqa: BLE001 - the barrier itself may be what is missing
        reason = " ".join(f"{type(fault).__name__}: {fault}".split())
        _say(
            f"could not be switched on ({reason}); the program starts without it. "
            "Run `pip install --force-reinstall ailoop-otel`."
        )


def _say(line: str) -> None:
    print(f"ailoop-otel: {line}", file=sys.stderr)  # noqa: T201 - logging is not set up this early
