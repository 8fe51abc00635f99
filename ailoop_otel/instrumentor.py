"""Switching on and off in code, as with any of OpenTelemetry's instrumentors."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from opentelemetry.instrumentation.instrumentor import (  # type: ignore[attr-defined]
    BaseInstrumentor,
)

from ailoop_otel.activation import RUNTIME, SWITCH, AILoopMiddleware

__all__ = ["RUNTIME", "AILoopInstrumentor", "AILoopMiddleware"]


class AILoopInstrumentor(BaseInstrumentor):  # type: ignore[misc]
    """Instruments AILoop in this process, like any OpenTelemetry instrumentor: `AILoopInstrumentor().instrument()`."""

    def instrumentation_dependencies(self) -> Collection[str]:
        """None: functions that this server does not have are left out."""
        return ()

    # The base class keeps this in a private field. There is one switch per process: this class is a singleton whose
    # `__init__` runs at every call.
    @property
    def is_instrumented_by_opentelemetry(self) -> bool:
        """Whether it is switched on, or will be with the first application."""
        return SWITCH.is_on

    def instrument(self, **kwargs: Any) -> None:
        """Switch on; a second call does nothing."""
        self._instrument(**kwargs)

    def uninstrument(self, **kwargs: Any) -> None:
        """Switch off; applications that are serving keep the middleware, which then only passes everything on."""
        self._uninstrument(**kwargs)

    def _instrument(self, **kwargs: Any) -> None:
        SWITCH.on()

    def _uninstrument(self, **kwargs: Any) -> None:
        SWITCH.off()
