"""One process's telemetry: set up when its application starts, ended when that shuts down."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING

from opentelemetry.metrics import CallbackOptions, Observation

from ailoop_otel import names
from ailoop_otel.fork import begin_anew
from ailoop_otel.guard import Guard, say, warn
from ailoop_otel.names import Metric
from ailoop_otel.recording.spans import EMPTY
from ailoop_otel.recording.telemetry import Callback, Telemetry
from ailoop_otel.server.hooks import HookContext
from ailoop_otel.settings import Settings
from ailoop_otel.unpatched import time
from ailoop_otel.version import __version__

if TYPE_CHECKING:
    from ailoop_otel.export.pipeline import Pipeline
    from ailoop_otel.process.metrics import ProcessMetrics
    from ailoop_otel.process.pauses import CollectionPauses, LoopLag
    from ailoop_otel.wire.middleware import App
    from ailoop_otel.wire.state import Wire

# How long the flush may delay the end of the server, seconds.
FLUSH: float = 3.0
# How much of it spans may wait for their content, seconds.
SETTLE: float = 0.5
# How much of it is left for the loop to notice that the flush is done.
MARGIN: float = 0.3


class Runtime:
    """Owns the parts of one process: export, wire, watchdog, process metrics.

    The SDK is set up with the first application that starts, not at interpreter start: the server loads its `.env`
    in between. A forked child keeps the pipeline, which survives a fork, and makes the other parts anew.
    """

    def __init__(self, guard: Guard | None = None) -> None:
        self.guard = guard or Guard()
        self.enabled = True
        self.telemetry: Telemetry | None = None
        self._pipeline: Pipeline | None = None
        self._wire: Wire | None = None
        self._hook_context: HookContext | None = None
        self._beats: tuple[LoopLag | CollectionPauses, ...] = ()
        self._process_metrics: ProcessMetrics | None = None
        self._serving = False
        self._tells_its_end = False  # the server knows ASGI's lifespan
        begin_anew(self._begin)

    # --- What the middleware asks for ----------------------------------------------------------------------
    def wire(self) -> Wire | None:
        """The wire's shared state, set up if need be; None while switched off."""
        if not self.enabled:
            return None
        if self._wire is None:
            self._set_up()
        if not self._serving:
            self._serve()
        return self._wire

    def hook_context(self) -> HookContext | None:
        """What the hooks inside the server record with; None while switched off or before the application started."""
        return self._hook_context if self.enabled else None

    def http(self, app: App) -> App:
        """The application with spans for plain HTTP requests that have none yet; unchanged while switched off."""
        pipeline, telemetry = self._pipeline, self.telemetry
        if self.wire() is None or pipeline is None or telemetry is None or not telemetry.settings.http:
            return app
        from ailoop_otel.wire.http import traced_http

        return traced_http(app, pipeline.tracer_provider, pipeline.meter_provider, telemetry)

    def started(self) -> None:
        """The application has started, on the running event loop."""
        self._tells_its_end = True
        if self.wire() is not None:
            self._event(names.EVENT_SERVER_START)

    async def stopping(self) -> None:
        """The application has shut down: end all open exchanges and sessions, then flush, within 3 s."""
        if not self._serving:
            return
        self._serving = False
        self._event(names.EVENT_SERVER_STOP)
        self._stop_beating()
        if self._wire is not None:
            self._wire.shut_down(self._wire.telemetry.clock.now())
            self._wire.watchdog.stop()
        if self._pipeline is not None:
            await self._flush_in_thread(self._pipeline)

    async def left(self) -> None:
        """A WebSocket is over: export what ended if it was the last one and the server does not tell of its own end.

        Without a lifespan uvicorn ends by the signal that stopped it, and no exit handler runs. It waits for this.
        """
        pipeline = self._pipeline
        if self._tells_its_end or pipeline is None or self._wire is None or self._wire.connections:
            return
        if self._wire.stopping:
            await self.stopping()
        else:
            await self._flush_in_thread(pipeline)

    def switch_off(self) -> None:
        """End all open exchanges and sessions and record nothing more; open connections are passed through."""
        self.enabled = False
        telemetry, pipeline, hooks = self.telemetry, self._pipeline, self._hook_context
        self.telemetry = self._pipeline = self._hook_context = None
        if self._process_metrics is not None:
            self._process_metrics.stop()
        with self.guard:
            if self._wire is not None:
                self._wire.switch_off(self._wire.telemetry.clock.now())
                self._wire.watchdog.stop()
        self._stop_beating()
        if telemetry is not None:
            telemetry.settle()
        if hooks is not None:
            hooks.settle(SETTLE, for_good=True)
        self._wire = None
        self._serving = False
        if pipeline is not None:
            pipeline.shutdown(FLUSH)

    def switch_on(self) -> None:
        """Undo `switch_off`."""
        self.enabled = True

    async def _flush_in_thread(self, pipeline: Pipeline) -> None:
        from ailoop_otel.wire.middleware import in_thread

        if not await in_thread(lambda: self._flush(pipeline), FLUSH):
            warn(f"not all telemetry could be flushed or kept within {FLUSH:g} s of shutdown")

    def _flush(self, pipeline: Pipeline) -> bool:
        # In this order: deferred work ends spans, these may wait for their content, and then they are exported.
        deadline = time.monotonic() + FLUSH - MARGIN
        if self.telemetry is not None:
            self.telemetry.settle()
        if self._hook_context is not None:
            self._hook_context.settle(SETTLE)
        return pipeline.flush(deadline - time.monotonic())

    # --- Setting up ----------------------------------------------------------------------------------------
    def _set_up(self) -> None:
        from ailoop_otel.tracking.sessions import Ledger
        from ailoop_otel.tracking.watchdog import Watchdog
        from ailoop_otel.wire.calls import remote_span
        from ailoop_otel.wire.state import Wire

        telemetry = self.telemetry or self._export()
        ledger = Ledger(telemetry)
        self._wire = Wire(telemetry, ledger, Watchdog(telemetry))
        self._hook_context = HookContext(telemetry, self._wire.exchanges, ledger, remote_span)

    def _begin(self) -> None:
        # In a forked child what is open and what is counted is the parent's; the pipeline sees to itself.
        self.guard.errors = 0
        self._serving = False
        self._stop_beating()
        if self.telemetry is not None:
            self.telemetry.begin()
            self._set_up()

    def _export(self) -> Telemetry:
        from ailoop_otel.export.choice import milliseconds
        from ailoop_otel.export.pipeline import Pipeline
        from ailoop_otel.protocol.registry import DIALECTS

        settings = Settings.from_environment()
        for problem in (*settings.problems, *milliseconds()):
            warn(problem)
        DIALECTS.report_to(warn)
        pipeline = Pipeline.start(settings, self.guard)
        telemetry = Telemetry(
            pipeline.tracer_provider, pipeline.meter_provider, pipeline.logger_provider, settings, self.guard
        )
        with self.guard:
            self._observe(telemetry, pipeline)
        self._pipeline = pipeline
        self.telemetry = telemetry
        with self.guard:
            self._announce(pipeline, settings)
        return telemetry

    def _announce(self, pipeline: Pipeline, settings: Settings) -> None:
        from ailoop_otel.server.targets import generation

        found = generation()
        known = f"AILoop's generation {found!r}" if found else "a server that is known by its frames only"
        look = "`ailoop-otel doctor` checks the way there"
        if "OTLP JSON files" in pipeline.description:
            look = f"`ailoop-otel traces {settings.directory}` shows it"
        say(f"{__version__} observes {known}: {pipeline.description}; {look}.")

    def _observe(self, telemetry: Telemetry, pipeline: Pipeline) -> None:
        from ailoop_otel.process.metrics import ProcessMetrics

        self._process_metrics = ProcessMetrics(self.guard)
        for metric, callback in self._process_metrics:
            telemetry.observe(metric, callback)

        def dropped() -> Counter[tuple[str, ...]]:
            return pipeline.losses() + Counter({("traces", "queue_full"): telemetry.refused})

        readings: tuple[tuple[Metric, Callable[[], Iterable[Observation]]], ...] = (
            (names.METRIC_EXCHANGE_ACTIVE, _one(lambda: telemetry.open_exchanges)),
            (names.METRIC_EXCHANGE_SILENT, _one(lambda: self._wire.watchdog.silent() if self._wire else 0)),
            (names.METRIC_EXCHANGE_HANGING, _one(lambda: self._wire.watchdog.hanging() if self._wire else 0)),
            (names.METRIC_INTERNAL_ERRORS, _one(lambda: self.guard.errors)),
            (names.METRIC_SPANS_DROPPED, _one(lambda: pipeline.dropped() + telemetry.refused)),
            (names.METRIC_FRAMES_UNMATCHED, _one(lambda: telemetry.unmatched)),
            (names.METRIC_DROPPED, _each(names.METRIC_DROPPED, dropped)),
            (names.METRIC_KEPT, _each(names.METRIC_KEPT, pipeline.kept)),
            (names.METRIC_SENT, _each(names.METRIC_SENT, pipeline.sent)),
            *((metric, partial(telemetry.total, metric)) for metric in names.TOTALS),
        )
        for metric, read in readings:
            telemetry.observe(metric, self._reading(telemetry, read))

    def _reading(self, telemetry: Telemetry, read: Callable[[], Iterable[Observation]]) -> Callback:
        def callback(options: CallbackOptions) -> Iterable[Observation]:
            # OpenTelemetry cannot unregister a callback: one of an earlier set-up returns nothing.
            with self.guard:
                if telemetry is self.telemetry:
                    return read()
            return []

        return callback

    def _serve(self) -> None:
        from ailoop_otel.process.pauses import CollectionPauses, LoopLag

        self._serving = True
        if self._wire is not None:
            with self.guard:
                self._wire.watchdog.start()
            self._wire.active = True
            telemetry = self._wire.telemetry
            lag, pauses = LoopLag(telemetry.late, self.guard), CollectionPauses(telemetry.collected)
            lag.start(asyncio.get_running_loop())
            pauses.start()
            self._beats = (lag, pauses)

    def _stop_beating(self) -> None:
        for beat in self._beats:
            beat.stop()

    def _event(self, name: str) -> None:
        telemetry = self.telemetry
        if telemetry is not None:
            telemetry.event(name, telemetry.clock.wall(), {}, EMPTY)


def _one(read: Callable[[], int]) -> Callable[[], list[Observation]]:
    return lambda: [Observation(read())]


def _each(metric: Metric, read: Callable[[], Counter[tuple[str, ...]]]) -> Callable[[], list[Observation]]:
    """Readings of counts by the values of the metric's labels."""
    return lambda: [Observation(count, dict(zip(metric.labels, key, strict=True))) for key, count in read().items()]
