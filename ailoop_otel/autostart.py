"""Switches on at interpreter start: the start-up file calls `start` where the environment has the variable.

Most of these interpreters are not the server: the server runs Python programs as tools, which inherit its environment.
So nothing else of this package is imported before a web framework is, and no OpenTelemetry before there is an
application of AILoop.
"""

import os
import sys

# Only type checkers need these.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

_VARIABLE = "AILOOP_OTEL_ENABLED"
# As `first_application.MODULES`, which is not imported this early.
_OCCASIONS = ("starlette.applications", "fastapi.applications", "opentelemetry.instrumentation.asgi")


class Occasion:
    """A finder in `sys.meta_path`: `imported` is called with each module of `_OCCASIONS` after its import.

    It stays there: the import system is iterating over the list and would skip the next finder.
    """

    def __init__(self) -> None:
        self._asked: set[str] = set()

    def find_spec(self, name: str, path: object = None, target: object = None) -> "ModuleSpec | None":
        """Return what the other finders find, with a loader around theirs; None for all other modules."""
        if name not in _OCCASIONS or name in self._asked:
            return None
        from importlib.util import find_spec

        self._asked.add(name)
        try:
            spec = find_spec(name)
        finally:
            self._asked.discard(name)
        if spec is not None and hasattr(spec.loader, "exec_module"):
            spec.loader = Loader(spec.loader)  # type: ignore[assignment]  # as the import system calls it
        return spec


class Loader:
    """Does what another loader does, and calls `imported` afterwards; the module does not get to see it."""

    def __init__(self, loader: "Any") -> None:
        self._loader = loader
        self.create_module = loader.create_module

    def exec_module(self, module: "Any") -> None:
        """Execute a module."""
        module.__loader__ = module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        imported(module)


def start() -> None:
    """Wait for an application of AILoop; does nothing if the variable is not set."""
    if not os.environ.get(_VARIABLE) or any(isinstance(finder, Occasion) for finder in sys.meta_path):
        return
    sys.meta_path.insert(0, Occasion())
    for name in _OCCASIONS:
        if name in sys.modules:
            imported(sys.modules[name])


def imported(module: "ModuleType") -> None:
    """Watch for applications of a web framework."""
    try:
        from ailoop_otel.server.first_application import FIRST

        FIRST.watch(module, switch_on)
    except Exception as fault:  # noqa: BLE001 - it would come out of the server's own import
        _explain(fault)


def switch_on(app: object = None, scope: object = None) -> None:
    """Switch on if the variable is true; a failure is one line on stderr, and the program runs without telemetry.

    `app` is an application of AILoop that is about to build its middleware stack, `scope` its WebSocket's.
    """
    try:
        from ailoop_otel.settings import enabled

        wanted, problem = enabled()
        if problem:
            _say(problem)
        if wanted:
            from ailoop_otel.activation import SWITCH, observe

            SWITCH.on()
            if app is not None:
                observe(app, scope)
    except Exception as fault:  # noqa: BLE001 - the barrier itself may be what is missing
        _explain(fault)


def _explain(fault: Exception) -> None:
    reason = " ".join(f"{type(fault).__name__}: {fault}".split())
    _say(
        f"could not be switched on ({reason}); the program starts without it. "
        "Run `pip install --force-reinstall ailoop-otel`."
    )


def _say(line: str) -> None:
    print(f"ailoop-otel: {line}", file=sys.stderr)  # noqa: T201 - logging is not set up this early
