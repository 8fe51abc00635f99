"""OpenTelemetry for the AILoop chat server: every message is one readable trace.

PYTEST_DONT_REWRITE: the start-up file imports this module before pytest, which would warn of each module of a plugin's
distribution that it comes too late for (https://docs.pytest.org/en/stable/how-to/writing_plugins.html#assertion-rewriting).
"""

from ailoop_otel.version import __version__

# Type checkers know the name; `typing` itself would be most of what this costs a program that is no server.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from ailoop_otel.activation import AILoopMiddleware
    from ailoop_otel.instrumentor import AILoopInstrumentor

__all__ = ["AILoopInstrumentor", "AILoopMiddleware", "__version__"]


def __getattr__(name: str) -> object:
    # Imported when asked for: the start-up file imports this package in every interpreter that it is on in.
    if name in ("AILoopInstrumentor", "AILoopMiddleware"):
        from ailoop_otel import instrumentor

        return getattr(instrumentor, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
