"""What the start-up file calls in every interpreter whose environment has the variable.

Most of those interpreters are not the server: it runs Python programs as tools, and they inherit its environment.
So nothing is imported here before the first module that only a server needs.
"""

import os
import sys

_VARIABLE = "AILOOP_OTEL_ENABLED"
# Whoever imports none of these serves no AILoop.
_OCCASIONS = frozenset({"starlette", "interactive_server", "ai_whisperer"})


class Occasion:
    """Stands in `sys.meta_path`, finds nothing, and switches on when a server's first module is looked for.

    It stays there: whoever is looking would miss the next finder if this one went away.
    """

    _waits = True

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        """Let the other finders find the module."""
        if self._waits and name in _OCCASIONS:
            self._waits = False
            switch_on()


def start() -> None:
    """Be ready to switch on if the environment says so; without the variable there is nothing to do."""
    if not os.environ.get(_VARIABLE):
        return
    if _OCCASIONS & sys.modules.keys():
        switch_on()
    elif not any(isinstance(finder, Occasion) for finder in sys.meta_path):
        sys.meta_path.insert(0, Occasion())


def switch_on() -> None:
    """Switch on if the variable is true; whatever goes wrong is one line, and the program goes on without."""
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
