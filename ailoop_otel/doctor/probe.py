"""Sends one span through a real SDK pipeline to the collector and finds the hop that failed."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.sdk.environment_variables import OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_PROTOCOL
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import format_trace_id

from ailoop_otel.export import choice
from ailoop_otel.export.choice import TRACES
from ailoop_otel.replay import hops
from ailoop_otel.replay.hops import Hop
from ailoop_otel.settings import environment

if TYPE_CHECKING:
    import requests

SERVICE: Final = "ailoop-otel-doctor"
_PROVIDERS: Final = (
    "OTEL_PYTHON_EXPORTER_OTLP_HTTP_CREDENTIAL_PROVIDER",
    "OTEL_PYTHON_EXPORTER_OTLP_HTTP_TRACES_CREDENTIAL_PROVIDER",
)
_GRACE: Final = 0.5  # seconds


@dataclass(frozen=True)
class Sent:
    """The result of a probe: the id of its trace, and the hop that failed or None."""

    trace_id: str
    broken: Hop | None


class ExportWatcher(logging.Handler):
    """Waits for the first sign of how an export went: its result, a response, an exception or a log line of the SDK."""

    def __init__(self, timeout: float) -> None:
        super().__init__(logging.WARNING)
        self._timeout = timeout
        self._done = threading.Event()
        self._broken: Hop | None = None

    def report(self, broken: Hop | None) -> None:
        """Keep the first report; later ones are only consequences of it."""
        if not self._done.is_set():
            self._broken = broken
            self._done.set()

    def emit(self, record: logging.LogRecord) -> None:
        """Classify a log line of the gRPC exporter; over HTTP the response was reported before it."""
        values = record.args if isinstance(record.args, tuple) else ()
        code = next((value.name for value in values if hasattr(value, "name") and hasattr(value, "value")), "")
        if code:
            self.report(hops.of_grpc(code, str(values[-1])))

    def wait(self) -> Hop | None:
        """Wait for a report; returns the hop that failed, or None. A timeout counts as a failed hop."""
        return self._broken if self._done.wait(self._timeout) else hops.no_answer(self._timeout)


class _WatchedExporter(SpanExporter):
    """An exporter whose results and exceptions are reported."""

    def __init__(self, exporter: SpanExporter, watcher: ExportWatcher) -> None:
        self._exporter = exporter
        self._watcher = watcher

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export, and report how it went."""
        try:
            result = self._exporter.export(spans)
        except Exception as fault:
            self._watcher.report(hops.of_exception(fault))
            raise
        self._watcher.report(None if result is SpanExportResult.SUCCESS else hops.UNKNOWN)
        return result

    def shutdown(self) -> None:
        """Shut the exporter down."""
        self._exporter.shutdown()


def send(timeout: float) -> Sent:
    """Send one span to the endpoint of the environment; returns shortly after `timeout` seconds at the latest."""
    watcher = ExportWatcher(timeout)
    with _sdk_logs_to(watcher):
        try:
            exporter = _exporter(watcher, timeout)
        except (ImportError, LookupError, OSError, ValueError, TypeError) as fault:
            return Sent("", _no_exporter(fault))
        provider = TracerProvider(resource=Resource({SERVICE_NAME: SERVICE}), shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(_WatchedExporter(exporter, watcher)))
        span = provider.get_tracer("ailoop_otel.doctor").start_span("ailoop-otel doctor")
        trace_id = format_trace_id(span.get_span_context().trace_id)
        # Ending the span exports it, which may hang.
        worker = threading.Thread(target=span.end, name="ailoop-otel-probe", daemon=True)
        worker.start()
        broken = watcher.wait()
        if broken is None:
            worker.join(_GRACE)
        end = threading.Thread(target=provider.shutdown, name="ailoop-otel-probe-end", daemon=True)
        end.start()
        end.join(_GRACE)
        worker.join(_GRACE)
    return Sent(trace_id, broken)


def _exporter(watcher: ExportWatcher, timeout: float) -> SpanExporter:
    if choice.protocol(TRACES) == choice.GRPC:
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as Grpc

        return Grpc(timeout=max(1, round(timeout)))
    if choice.protocol(TRACES) != choice.HTTP:
        raise LookupError(choice.protocol(TRACES))
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as Http

    # A credential provider brings its own session, which must be used although it reports less.
    session = None if any(map(environment, _PROVIDERS)) else _watched_session(watcher.report)
    return Http(session=session, timeout=timeout)


def _watched_session(report: Callable[[Hop], None]) -> requests.Session:
    """A session that reports failed responses and exceptions, of which the exporter only logs a text."""
    import requests

    class Session(requests.Session):
        def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
            """Send a request, and report what failed."""
            try:
                response = super().send(request, **options)
            except (OSError, ValueError) as fault:  # all exceptions of requests are one of the two
                report(hops.of_exception(fault))
                raise
            broken = hops.of_response(response.status_code, response.headers.get("Content-Type", ""))
            if broken is not None:
                report(broken)
            return response

    return Session()


def _no_exporter(fault: Exception) -> Hop:
    kind = type(fault).__name__
    if isinstance(fault, LookupError):
        protocol = choice.protocol(TRACES)
        mend = f"Set {OTEL_EXPORTER_OTLP_PROTOCOL} to {choice.HTTP} or {choice.GRPC}."
        return Hop("no exporter", f"OTLP over {protocol!r} is not there for Python", mend)
    if isinstance(fault, ImportError):
        package = "grpc" if choice.protocol(TRACES) == choice.GRPC else "http"
        mend = f"pip install opentelemetry-exporter-otlp-proto-{package}."
        return Hop("no exporter", f"the exporter cannot be imported ({kind})", mend)
    return Hop("no exporter", f"the exporter cannot be made ({kind})", f"Correct {OTEL_EXPORTER_OTLP_ENDPOINT}.")


@contextmanager
def _sdk_logs_to(watcher: ExportWatcher) -> Iterator[None]:
    """Send log lines of the SDK to the watcher only: the finding explains the failure on the terminal."""
    logger: Any = logging.getLogger("opentelemetry")
    before = logger.propagate
    logger.propagate = False
    logger.addHandler(watcher)
    try:
        yield
    finally:
        logger.removeHandler(watcher)
        logger.propagate = before
