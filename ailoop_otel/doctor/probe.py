"""Sends one span to the collector, the way the exporters of the server go, and finds the hop that failed."""

from __future__ import annotations

import threading
import time
from typing import Final

from opentelemetry.sdk.environment_variables import OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_PROTOCOL
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import SpanContext, format_trace_id

from ailoop_otel.export import choice, exporters
from ailoop_otel.export.encoders import message_encoder
from ailoop_otel.guard import Guard
from ailoop_otel.recorded.otlp_json import TRACES
from ailoop_otel.replay import hops
from ailoop_otel.replay.delivery import Attempt, Transport
from ailoop_otel.replay.hops import Hop
from ailoop_otel.settings import Settings

SERVICE: Final = "ailoop-otel-doctor"
_LENGTH: Final = 1_000_000  # nanoseconds
_GRACE: Final = 0.5  # seconds


def send(timeout: float) -> tuple[str, Hop | None]:
    """Send one span to the endpoint of the environment; returns the id of its trace, and the hop that failed or None.

    It returns shortly after `timeout` seconds at the latest.
    """
    try:
        transport = exporters.transport(TRACES, choice.protocol(TRACES), timeout)
    except (ImportError, LookupError, OSError, ValueError, TypeError) as fault:
        return "", _no_exporter(fault)
    ids, end = RandomIdGenerator(), time.time_ns()
    trace_id = ids.generate_trace_id()
    context = SpanContext(trace_id, ids.generate_span_id(), is_remote=False)
    resource = Resource({SERVICE_NAME: SERVICE})
    span = ReadableSpan("ailoop-otel doctor", context, resource=resource, start_time=end - _LENGTH, end_time=end)
    content = message_encoder(TRACES, Settings(), Guard())([span])
    return format_trace_id(trace_id), _broken(transport, content, timeout)


def _broken(transport: Transport, content: bytes, timeout: float) -> Hop | None:
    attempts: list[Attempt] = []

    def attempt() -> None:
        attempts.append(transport.attempt(TRACES, content))
        transport.close()

    # The look-up of a name, for one, knows no timeout.
    thread = threading.Thread(target=attempt, name="ailoop-otel-probe", daemon=True)
    thread.start()
    thread.join(timeout + _GRACE)
    return attempts[0].hop if attempts else hops.LATE


def _no_exporter(fault: Exception) -> Hop:
    kind = type(fault).__name__
    if isinstance(fault, ImportError):
        package = "grpc" if choice.protocol(TRACES) == choice.GRPC else "http"
        mend = f"pip install opentelemetry-exporter-otlp-proto-{package}."
        return Hop("no exporter", f"the exporter cannot be imported ({kind})", mend)
    if isinstance(fault, LookupError):
        mend = f"Set {OTEL_EXPORTER_OTLP_PROTOCOL} to {choice.HTTP} or {choice.GRPC}."
        return Hop("no exporter", f"there is none for Python ({fault.args[0]})", mend)
    if choice.protocol(TRACES) == choice.HTTP and isinstance(fault, ValueError):
        return hops.ADDRESS
    return Hop("no exporter", f"the exporter cannot be made ({kind})", f"Correct {OTEL_EXPORTER_OTLP_ENDPOINT}.")
