"""Where telemetry goes, and whether it arrives: files, a collector, and Jaeger behind it."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from opentelemetry.sdk.environment_variables import (
    OTEL_CONFIG_FILE,
    OTEL_EXPORTER_OTLP_ENDPOINT,
    OTEL_EXPORTER_OTLP_PROTOCOL,
    OTEL_SDK_DISABLED,
)
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import SpanContext, format_trace_id

from ailoop_otel.doctor.findings import NOTE, OK, PROBLEM, Finding
from ailoop_otel.export import choice, exporters, retention
from ailoop_otel.export.choice import SIGNALS
from ailoop_otel.export.encoders import message_encoder
from ailoop_otel.guard import Guard
from ailoop_otel.names import SETTING_DIRECTORY
from ailoop_otel.recorded.otlp_json import TRACES, Signal, mapping
from ailoop_otel.replay import hops
from ailoop_otel.replay.acknowledged import unacknowledged
from ailoop_otel.replay.delivery import Attempt, Transport
from ailoop_otel.replay.hops import Hop
from ailoop_otel.replay.http import of_signal
from ailoop_otel.settings import Settings, UsageError, environment, is_loopback, is_true, without_secrets
from ailoop_otel.view.queries import ask

DEFAULT_JAEGER: Final = "http://127.0.0.1:16686"
_JAEGER_PATHS: Final = ("api/traces", "api/v3/traces")
_PAUSE: Final = 0.2  # seconds
_ONE_TRY: Final = 2.0  # seconds
_SERVICE: Final = "ailoop-otel-doctor"
_PROBE_LENGTH: Final = 1_000_000  # nanoseconds
_GRACE: Final = 0.5  # seconds


def check(checkout: Path, query: str, timeout: float) -> Iterator[Finding]:
    """Check each destination of telemetry; a collector is sent one span, which Jaeger at `query` is then asked for.

    `query` may be empty; `timeout` is in seconds, for the collector and for Jaeger each.
    """
    if is_true(environment(OTEL_SDK_DISABLED)):
        yield Finding(PROBLEM, OTEL_SDK_DISABLED, "nothing is recorded.", f"Unset {OTEL_SDK_DISABLED}.")
        return
    if environment(OTEL_CONFIG_FILE):
        yield _declared(checkout / environment(OTEL_CONFIG_FILE))
        return
    places: dict[str, list[Signal]] = {}
    for signal in SIGNALS:
        for name in choice.exporters(signal) or ("none",):
            places.setdefault(name, []).append(signal)
    for name, signals in places.items():
        yield from _place(name, signals, checkout)
    yield from _undelivered(checkout / Settings.from_environment().directory)
    if choice.OTLP in choice.exporters(TRACES):
        yield from _collector(query, timeout)
    elif query:
        sentence = "it is not asked: traces do not go to a collector by OTLP."
        yield Finding(NOTE, "Jaeger", sentence, f"Set {TRACES.own(OTEL_EXPORTER_OTLP_ENDPOINT)}.")


def _place(name: str, signals: list[Signal], checkout: Path) -> Iterator[Finding]:
    listed = ", ".join(signal.name for signal in signals)
    if name == "none":
        yield Finding(NOTE, listed.capitalize(), "kept nowhere, as the environment says.")
    elif name == choice.FILES:
        yield _files(checkout / Settings.from_environment().directory, listed)
    elif name == choice.OTLP:
        for signal in signals:
            yield Finding(OK, signal.name.capitalize(), f"to {choice.endpoint(signal)} by {choice.protocol(signal)}.")
    else:
        yield from (_named(name, signal) for signal in signals)


def _named(name: str, signal: Signal) -> Finding:
    if entry_points(group=signal.group, name=name):
        return Finding(NOTE, signal.name.capitalize(), f"to the exporter {name!r}, which is not tried here.")
    package = f"opentelemetry-exporter-{name.replace('_', '-')}"
    mend = f"pip install {package}, or correct {signal.exporter}."
    return Finding(PROBLEM, signal.name.capitalize(), f"no exporter {name!r} is installed.", mend)


def _files(directory: Path, signals: str) -> Finding:
    existing = next(place for place in (directory, *directory.absolute().parents) if place.exists())
    if existing.is_dir() and os.access(existing, os.W_OK | os.X_OK):
        return Finding(OK, "Files", f"{signals} into {directory}, which can be written.")
    why = "may not be written by this user" if existing.is_dir() else "is no directory"
    mend = f"Set {SETTING_DIRECTORY.name} to a directory that the server's user may write."
    return Finding(PROBLEM, "Files", f"{signals} should go into {directory}, but {existing} {why}.", mend)


def _undelivered(directory: Path) -> Iterator[Finding]:
    """What the collector has not taken, and waits on disk."""
    try:
        files = retention.undelivered_files(str(directory))
    except OSError:
        return
    bases = {signal.name: _base(signal) for signal in SIGNALS}
    waiting: dict[str, int] = {}
    for file in files:
        with suppress(OSError):
            count = unacknowledged(Path(file.path), bases[file.signal])
            waiting[file.signal] = waiting.get(file.signal, 0) + count
    listed = ", ".join(f"{count:,} of {signal}" for signal, count in waiting.items() if count)
    if listed:
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(min(file.opened for file in files)))
        sentence = f"records that no collector has taken wait in {directory}: {listed}; the oldest since {since}."
        mend = "The server sends them when its collector is back; or: ailoop-otel replay --signals traces,metrics,logs."
        yield Finding(NOTE, "Undelivered", sentence, mend)


def _base(signal: Signal) -> str:
    if choice.protocol(signal) == choice.GRPC:
        return urlsplit(choice.endpoint(signal)).netloc
    with suppress(ValueError):
        return of_signal(signal).base
    return ""


def _declared(path: Path) -> Finding:
    if find_spec("opentelemetry.configuration") is None:
        sentence = "the package that reads it is missing, so it is ignored."
        return Finding(PROBLEM, OTEL_CONFIG_FILE, sentence, "pip install opentelemetry-configuration.")
    if not path.is_file():
        return Finding(PROBLEM, OTEL_CONFIG_FILE, f"there is no file {path}.", f"Correct {OTEL_CONFIG_FILE}.")
    return Finding(NOTE, OTEL_CONFIG_FILE, f"telemetry goes where {path} says, which is not tried here.")


def _collector(query: str, timeout: float) -> Iterator[Finding]:
    begin = time.monotonic()
    where = choice.endpoint(TRACES)
    trace_id, hop = _send(timeout)
    if hop is not None:
        yield Finding(PROBLEM, "Collector", f"{hop.name}: {where}, {hop.sentence}.", hop.mend)
        return
    took = (time.monotonic() - begin) * 1e3
    yield Finding(OK, "Collector", f"took a span of service {_SERVICE} in {took:.0f} ms, trace {trace_id}.")
    yield _jaeger(query, trace_id, timeout, is_near=is_loopback(where))


def _jaeger(query: str, trace_id: str, timeout: float, *, is_near: bool) -> Finding:
    base = query or DEFAULT_JAEGER
    shown = without_secrets(base)
    if not (query or is_near) or _get(base, "api/services", _ONE_TRY) is None:
        if query:
            mend = "Start Jaeger, or correct --jaeger: it is the address of its pages, port 16686 as a rule."
            return Finding(PROBLEM, "Jaeger", f"its query API does not answer at {shown}.", mend)
        sentence = "whether the span got further than the collector is not known: no Jaeger is near."
        return Finding(NOTE, "Jaeger", sentence, "Name its address: ailoop-otel doctor --jaeger URL.")
    if _has_trace(base, trace_id, timeout):
        return Finding(OK, "Jaeger", f"the span is there: {shown.rstrip('/')}/trace/{trace_id}")
    sentence = f"the collector took the span, but within {timeout:g} s {shown} has not seen it."
    mend = "Look at the collector's exporters and its log; if this is not its Jaeger, name that with --jaeger URL."
    return Finding(PROBLEM, "Jaeger", sentence, mend)


def _has_trace(url: str, trace_id: str, timeout: float) -> bool:
    """Whether Jaeger finds a trace within `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        if any(_finds(url, f"{path}/{trace_id}", deadline) for path in _JAEGER_PATHS):
            return True
        if time.monotonic() + _PAUSE >= deadline:
            return False
        time.sleep(_PAUSE)


def _finds(url: str, path: str, deadline: float) -> bool:
    answer = _get(url, path, max(0.1, min(_ONE_TRY, deadline - time.monotonic())))
    return any(mapping(answer).get(member) for member in ("data", "result", "resourceSpans"))


def _get(url: str, path: str, timeout: float) -> object:
    """The JSON that Jaeger answers with; None if there is none, as before a trace is stored."""
    with suppress(UsageError):
        return ask(f"{url.partition('?')[0].rstrip('/')}/{path}", {}, timeout)
    return None


def _send(timeout: float) -> tuple[str, Hop | None]:
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
    resource = Resource({SERVICE_NAME: _SERVICE})
    span = ReadableSpan("ailoop-otel doctor", context, resource=resource, start_time=end - _PROBE_LENGTH, end_time=end)
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
