"""An application that is made in the steps that the variable `STEPS` names, in their order."""

from __future__ import annotations

import os
from typing import Any

SERVICE = "theirs"


def build() -> Any:
    """Take the steps; `app` makes the application, the others switch something on before or after it."""
    steps = Steps()
    for name in os.environ.get("STEPS", "app").split():
        steps.take(name)
    return steps.served


class Steps:
    """What a server's author may write; `served` is what uvicorn gets."""

    def __init__(self) -> None:
        self.served: Any = None
        self.app: Any = None

    def take(self, name: str) -> None:
        """Take one step."""
        getattr(self, f"_{name}")()

    def _app(self) -> None:
        from tests.switching.chat import make_app

        self.app = self.served = make_app(self.take)

    def _import(self) -> None:
        import fastapi  # noqa: F401 - before something is switched on

    def _instrument(self) -> None:
        from ailoop_otel import AILoopInstrumentor

        AILoopInstrumentor().instrument()

    def _uninstrument(self) -> None:
        from ailoop_otel import AILoopInstrumentor

        AILoopInstrumentor().uninstrument()

    def _middleware(self) -> None:
        from ailoop_otel import AILoopMiddleware

        self.app.add_middleware(AILoopMiddleware)

    def _fastapi(self) -> None:
        from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor

        FastAPIInstrumentor().instrument()

    def _fastapi_app(self) -> None:
        from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor

        FastAPIInstrumentor.instrument_app(self.app)

    def _asgi(self) -> None:
        from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware

        self.served = OpenTelemetryMiddleware(self.served)

    def _cors(self) -> None:
        from starlette.middleware.cors import CORSMiddleware

        self.served = CORSMiddleware(self.served, allow_origins=["*"])

    def _provider(self) -> None:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.trace import set_tracer_provider

        from ailoop_otel.export.files import RotatingSpanExporter

        provider = TracerProvider(resource=Resource({"service.name": SERVICE}))
        provider.add_span_processor(BatchSpanProcessor(RotatingSpanExporter(os.environ["PROVIDER_DIRECTORY"])))
        set_tracer_provider(provider)
