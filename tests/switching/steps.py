"""An application that is made in the steps that the variable `STEPS` names, in their order."""

from __future__ import annotations

import os
import threading
from typing import Any

from tests.ailoop.process import LOOPBACK

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
        self._second_server: Any = None
        self._second_thread: threading.Thread | None = None

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

    def _second(self) -> None:
        import uvicorn
        from starlette.applications import Starlette
        from starlette.requests import Request
        from starlette.responses import JSONResponse
        from starlette.routing import Route

        async def answer(request: Request) -> JSONResponse:
            return JSONResponse("second")

        app = Starlette(routes=[Route("/second", answer)])
        port = int(os.environ["SECOND_PORT"])
        self._second_server = uvicorn.Server(uvicorn.Config(app, host=LOOPBACK, port=port, lifespan="on"))
        self._second_thread = threading.Thread(target=self._second_server.run)
        self._second_thread.start()

    def _second_stop(self) -> None:
        assert self._second_thread is not None
        self._second_server.should_exit = True
        self._second_thread.join(5)
        assert not self._second_thread.is_alive()

    def _fork(self) -> None:
        serve_in_child(self.served, int(os.environ["CHILD_PORT"]))


def serve_in_child(app: Any, port: int) -> int:
    """Fork a process that serves until it is told to stop; returns its id."""
    child = os.fork()
    if child:
        return child
    try:
        import uvicorn

        uvicorn.run(app, host=LOOPBACK, port=port)
    finally:
        os._exit(0)
