"""One span through a real SDK pipeline to the collector, and where it got stuck if it did."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from opentelemetry.sdk.environment_variables import OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_PROTOCOL
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import format_trace_id

from ailoop_otel.doctor import hops
from ailoop_otel.doctor.hops import Hop
from ailoop_otel.export import choice
from ailoop_otel.export.choice import TRACES
from ailoop_otel.settings import environment

SERVICE: Final = "ailoop-otel-doctor"
_PROVIDERS: Final = (
    "OTEL_PYTHON_EXPORTER_OTLP_HTTP_CREDENTIAL_PROVIDER",
    "OTEL_PYTHON_EXPORTER_OTLP_HTTP_TRACES_CREDENTIAL_PROVIDER",
)
_LAST_MOMENT: Final = 0.5  # seconds


@dataclass(frozen=True)
class Sent:
    """What became of the probe: its trace's id, and the hop that broke, if one did."""

    trace_id: str
    broken: Hop | None


class Verdict(logging.Handler):
    """Waits for the first thing that tells how the export went: a result, an answer, a fault, a line of the SDK's."""

    def __init__(self, patience: float) -> None:
        super().__init__(logging.WARNING)
        self._patience = patience
        self._told = threading.Event()
        self._broken: Hop | None = None

    def tell(self, broken: Hop | None) -> None:
        """Take in what came first; what comes later is only a consequence."""
        if not self._told.is_set():
            self._broken = broken
            self._told.set()

    def emit(self, record: logging.LogRecord) -> None:
        """Take in what gRPC's exporter says; over HTTP the answer itself has told before."""
        values = record.args if isinstance(record.args, tuple) else ()
        code = next((value.name for value in values if hasattr(value, "name") and hasattr(value, "value")), "")
        if code:
            self.tell(hops.of_grpc(code, str(values[-1])))

    def await_it(self) -> Hop | None:
        """The hop that broke, or None; too long a silence is one as well."""
        return self._broken if self._told.wait(self._patience) else hops.silent(self._patience)


class _Told(SpanExporter):
    """The exporter, with an eye on what it returns."""

    def __init__(self, exporter: SpanExporter, verdict: Verdict) -> None:
        self._exporter = exporter
        self._verdict = verdict

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export, and tell how it went."""
        try:
            result = self._exporter.export(spans)
        except Exception as fault:
            self._verdict.tell(hops.of_fault(fault))
            raise
        self._verdict.tell(None if result is SpanExportResult.SUCCESS else hops.UNKNOWN)
        return result

    def shutdown(self) -> None:
        """Shut the exporter down."""
        self._exporter.shutdown()


def send(patience: float) -> Sent:
    """Send one span to where the environment says; comes back after `patience` seconds at the latest."""
    verdict = Verdict(patience)
    with _overheard(verdict):
        try:
            exporter = _exporter(verdict, patience)
        except (ImportError, LookupError, OSError, ValueError, TypeError) as fault:
            return Sent("", _not_made(fault))
        provider = TracerProvider(resource=Resource({SERVICE_NAME: SERVICE}), shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(_Told(exporter, verdict)))
        span = provider.get_tracer("ailoop_otel.doctor").start_span("ailoop-otel doctor")
        trace_id = format_trace_id(span.get_span_context().trace_id)
        # Ending the span exports it, and that may hang.
        worker = threading.Thread(target=span.end, name="ailoop-otel-probe", daemon=True)
        worker.start()
        broken = verdict.await_it()
        if broken is None:
            worker.join(_LAST_MOMENT)
        end = threading.Thread(target=provider.shutdown, name="ailoop-otel-probe-end", daemon=True)
        end.start()
        end.join(_LAST_MOMENT)
        worker.join(_LAST_MOMENT)
    return Sent(trace_id, broken)


def _exporter(verdict: Verdict, patience: float) -> SpanExporter:
    if choice.protocol(TRACES) == choice.GRPC:
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as Grpc

        return Grpc(timeout=max(1, round(patience)))
    if choice.protocol(TRACES) != choice.HTTP:
        raise LookupError(choice.protocol(TRACES))
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as Http

    from ailoop_otel.doctor.witness import witness

    # Whose session has the credentials is the one to send by, though it tells less.
    session = None if any(map(environment, _PROVIDERS)) else witness(verdict.tell)
    return Http(session=session, timeout=patience)


def _not_made(fault: Exception) -> Hop:
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
def _overheard(verdict: Verdict) -> Iterator[None]:
    """What the SDK says goes to the verdict; on the terminal the finding says it in plain words."""
    told: Any = logging.getLogger("opentelemetry")
    before = told.propagate
    told.propagate = False
    told.addHandler(verdict)
    try:
        yield
    finally:
        told.removeHandler(verdict)
        told.propagate = before
