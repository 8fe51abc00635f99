"""One process's telemetry: set up when its application starts, ended when that shuts down."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from opentelemetry.metrics import CallbackOptions, Observation

from ailoop_otel import names
from ailoop_otel.guard import Guard, warn
from ailoop_otel.settings import Settings
from ailoop_otel.telemetry import EMPTY, Callback, Telemetry

if TYPE_CHECKING:
    from ailoop_otel.export.pipeline import Pipeline
    from ailoop_otel.process.loop import LoopLag
    from ailoop_otel.watchdog import Watchdog
    from ailoop_otel.wire.middleware import App
    from ailoop_otel.wire.state import Wire

# The server is waited for no longer than this when it stops, seconds.
FLUSH: float = 3.0


class Runtime:
    """Owns the rooms of one process: export, wire, watchdog, process metrics.

    The SDK is set up with the first application that starts, not at interpreter start: the server loads its `.env`
    in between. A forked worker sets up its own.
    """

    def __init__(self, guard: Guard | None = None) -> None:
        self.guard = guard or Guard()
        self.enabled = True
        self.telemetry: Telemetry | None = None
        self._pipeline: Pipeline | None = None
        self._watchdog: Watchdog | None = None
        self._wire: Wire | None = None
        self._lag: LoopLag | None = None
        self._pid = 0
        self._serving = False

    # --- What the middleware asks for ----------------------------------------------------------------------
    def wire(self) -> Wire | None:
        """The wire's shared state, set up if need be; None while switched off."""
        if not self.enabled:
            return None
        if self._pid != os.getpid():
            self._set_up()
        if not self._serving:
            self._serve()
        return self._wire

    def http(self, app: App) -> App:
        """The application with spans for plain HTTP requests, unless somebody else makes them."""
        if not self.enabled or not Settings.from_environment().http:
            return app
        from ailoop_otel.server.http import traced_http

        return traced_http(app)

    def started(self) -> None:
        """The application has started, on the running event loop."""
        if self.wire() is not None:
            self._event(names.EVENT_SERVER_START)

    async def stopping(self) -> None:
        """The application has shut down: end what is open and flush, within 3 s."""
        from ailoop_otel.wire.middleware import in_thread

        if not self._serving or self._pid != os.getpid():
            return
        self._serving = False
        self._event(names.EVENT_SERVER_STOP)
        if self._lag is not None:
            self._lag.stop()
        if self._wire is not None and self.telemetry is not None:
            self._wire.shut_down(self.telemetry.clock.now())
        if self._watchdog is not None:
            self._watchdog.stop()
        pipeline = self._pipeline
        if pipeline is not None and not await in_thread(lambda: pipeline.flush(FLUSH), FLUSH):
            warn(f"telemetry could not be flushed within {FLUSH:g} s of shutdown")

    def switch_off(self) -> None:
        """End what is open and do nothing from now on; connections that are open are passed through."""
        self.enabled = False
        if self._wire is not None and self.telemetry is not None:
            self._wire.switch_off(self.telemetry.clock.now())
        if self._lag is not None:
            self._lag.stop()
        if self._watchdog is not None:
            self._watchdog.stop()
        if self._pipeline is not None:
            self._pipeline.flush(FLUSH)
        self._serving = False

    def switch_on(self) -> None:
        """Undo `switch_off`."""
        self.enabled = True

    # --- Setting up ----------------------------------------------------------------------------------------
    def _set_up(self) -> None:
        from ailoop_otel.export.pipeline import Pipeline
        from ailoop_otel.sessions import Ledger
        from ailoop_otel.watchdog import Watchdog
        from ailoop_otel.wire.state import Wire

        settings = Settings.from_environment()
        for problem in settings.problems:
            warn(problem)
        pipeline = Pipeline.start(settings, self.guard)
        telemetry = Telemetry(
            pipeline.tracer_provider, pipeline.meter_provider, pipeline.logger_provider, settings, self.guard
        )
        self._pipeline = pipeline
        self.telemetry = telemetry
        self._watchdog = Watchdog(telemetry)
        self._wire = Wire(telemetry, Ledger(telemetry), self._watchdog)
        self._pid = os.getpid()
        self._serving = False
        self._observe(telemetry, pipeline)

    def _observe(self, telemetry: Telemetry, pipeline: Pipeline) -> None:
        from ailoop_otel.process import observers

        for metric, callback in observers(self.guard):
            telemetry.observe(metric, callback)
        watchdog = self._watchdog
        if watchdog is not None:
            telemetry.observe(names.METRIC_EXCHANGE_SILENT, self._reading(watchdog.silent))
        telemetry.observe(names.METRIC_INTERNAL_ERRORS, self._reading(lambda: self.guard.errors))
        telemetry.observe(names.METRIC_SPANS_DROPPED, self._reading(lambda: pipeline.dropped() + telemetry.refused))
        telemetry.observe(names.METRIC_FRAMES_UNMATCHED, self._reading(lambda: telemetry.unmatched))

    def _reading(self, read: object) -> Callback:
        guard = self.guard

        def callback(options: CallbackOptions) -> Iterable[Observation]:
            with guard:
                if self.enabled and callable(read):
                    return [Observation(read())]
            return []

        return callback

    def _serve(self) -> None:
        from ailoop_otel.process.loop import LoopLag

        self._serving = True
        if self._watchdog is not None:
            self._watchdog.start()
        if self._wire is not None:
            self._wire.active = True
        if self.telemetry is not None:
            self._lag = LoopLag(self.telemetry.loop_lag.record, self.guard)
            self._lag.start(asyncio.get_running_loop())

    def _event(self, name: str) -> None:
        telemetry = self.telemetry
        if telemetry is not None:
            telemetry.event(name, telemetry.clock.wall(), {}, EMPTY)
