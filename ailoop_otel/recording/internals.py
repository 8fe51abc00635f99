"""Every name of another package that is not part of its public interface, each with its public fallback.

No other module uses such a name (except `server/targets.py`, which lists AILoop's own functions). The comment beside a
name describes what is lost in a release that renames it: `tests/recording/test_internals.py` renames each.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable
from contextlib import suppress
from operator import attrgetter, itemgetter
from typing import Any, Final

from opentelemetry.context import Context
from opentelemetry.trace import (
    INVALID_SPAN,
    NonRecordingSpan,
    SpanContext,
    TraceFlags,
    TraceState,
    get_current_span,
    set_span_in_context,
)


def _first(*modules: str) -> Any:
    """The first of these modules that can be imported, or None."""
    for name in modules:
        with suppress(ImportError):
            return importlib.import_module(name)
    return None


# --- Logs ----------------------------------------------------------------------------------------------------------
# OpenTelemetry keeps its logs in modules with an underscore until they are declared stable. The second name is where
# the other signals are. Without either no log events are recorded.
LOGS: Final = _first("opentelemetry._logs", "opentelemetry.logs")


def sdk_logs() -> Any:
    """The SDK's module of logs; raises ImportError where there is none."""
    return _required("opentelemetry.sdk._logs", "opentelemetry.sdk.logs")


def sdk_logs_export() -> Any:
    """The SDK's module of log processors; raises ImportError where there is none."""
    return _required("opentelemetry.sdk._logs.export", "opentelemetry.sdk.logs.export")


def _required(*modules: str) -> Any:
    module = _first(*modules)
    if module is None:
        raise ImportError(f"no {' and no '.join(modules)}; opentelemetry-sdk 1.45 has the first")
    return module


# The SDK's own set-up takes no exporter of logs that is no subclass of this.
LogRecordExporter: Final[Any] = getattr(
    _first("opentelemetry.sdk._logs.export", "opentelemetry.sdk.logs.export"), "LogRecordExporter", object
)


LogRecordProcessor: Final[Any] = getattr(
    _first("opentelemetry.sdk._logs", "opentelemetry.sdk.logs"), "LogRecordProcessor", object
)


# --- Spans ---------------------------------------------------------------------------------------------------------
_SPAN: Final = NonRecordingSpan(SpanContext(1, 2, True, TraceFlags(1), TraceState()))
_FIELDS: Final = ("trace_id", "span_id", "is_remote", "trace_flags", "trace_state")


def _span_key() -> str | None:
    keys = tuple(set_span_in_context(INVALID_SPAN, Context()))
    return keys[0] if len(keys) == 1 and get_current_span(Context({keys[0]: _SPAN})) is _SPAN else None


# The key under which the API keeps the current span in a context. Without it the API's functions are called, which
# take four times as long.
SPAN_KEY: Final = _span_key()


def _is_tuple() -> bool:
    context = _SPAN.get_span_context()
    return isinstance(context, tuple) and context[:5] == attrgetter(*_FIELDS)(context)


# The fields of a `SpanContext`, in this order, and its flags. It is a tuple; where it is none, its properties are
# read, which take five times as long.
_IS_TUPLE: Final = _is_tuple()
Fields = tuple[int, int, bool, TraceFlags, TraceState]
fields_of: Final[Callable[[SpanContext], Fields]] = itemgetter(0, 1, 2, 3, 4) if _IS_TUPLE else attrgetter(*_FIELDS)
flags_of: Final[Callable[[SpanContext], TraceFlags]] = itemgetter(3) if _IS_TUPLE else attrgetter("trace_flags")

# The number of an enumeration's member: `value` is a property in Python, this is the attribute that it reads. Both are
# documented (https://docs.python.org/3/library/enum.html#supported-sunder-names).
number_of: Final = attrgetter("_value_")


def enqueue_of(processor: Any) -> Callable[[Any], None]:
    """What puts an ended span into the queue of a `BatchSpanProcessor`.

    Without its inner processor it is `on_end`, which looks at the span again before it calls the inner one.
    """
    enqueue: Callable[[Any], None] = getattr(getattr(processor, "_batch_processor", None), "emit", processor.on_end)
    return enqueue


# --- Metrics -------------------------------------------------------------------------------------------------------
def metric_preferences(exporter: Any) -> tuple[dict[type, Any], dict[type, Any]] | None:
    """Which temporality and which aggregation a metric exporter prefers, by the class of the instrument.

    None where it has no such attributes: then the SDK's own histograms are used, not the light ones.
    """
    try:
        return exporter._preferred_temporality or {}, exporter._preferred_aggregation or {}
    except AttributeError:
        return None


def forget_measurements(provider: Any, scope: str | None) -> None:
    """Have a meter provider begin at zero in a forked child, for one scope or for all; its locks are made anew.

    Without these attributes the child's counters and the SDK's histograms go on from where its parent's were.
    """
    consumer: Any = getattr(provider, "_measurement_consumer", None)
    with suppress(AttributeError):
        consumer._lock = threading.Lock()
        for reader, storage in consumer._reader_storages.items():
            if hasattr(reader, "_export_lock"):
                reader._export_lock = threading.Lock()
            storage._lock = threading.RLock()
            streams = storage._instrument_view_instrument_matches
            for instrument in list(streams):
                if scope is None or instrument.instrumentation_scope.name == scope:
                    del streams[instrument]


# --- Resource ------------------------------------------------------------------------------------------------------
def update_resource(provider: Any, changed: Any) -> None:
    """Have a provider of the SDK's add attributes to its resource, or replace them, as the SDK does after a fork.

    Without this method a forked child has its parent's `process.pid`.
    """
    update = getattr(provider, "_update_resource", None)
    if update is not None:
        update(changed)


# --- Exporters -----------------------------------------------------------------------------------------------------
def encode_logs(package: str) -> Callable[[Any], Any]:
    """The official encoder of log records in a package of encoders; raises ImportError where there is none."""
    encode: Callable[[Any], Any] = _required(f"{package}._log_encoder", f"{package}.log_encoder").encode_logs
    return encode


def grpc_channel(exporter: Any) -> tuple[Any, Any, str] | None:
    """The channel of an official gRPC exporter, its metadata and its address.

    None where it has no such attributes: then the exporter sends by itself, and what it loses is not kept on disk.
    """
    try:
        return exporter._channel, exporter._headers or (), str(exporter._endpoint)
    except AttributeError:
        return None


# The loggers through which the SDK reports exports that fail. A filter sees only what is logged to its own logger, not
# to those below it. A release that logs elsewhere gets more than one line a minute into the server's log.
EXPORT_LOGGERS: Final = (
    "opentelemetry.exporter.otlp.proto.http.trace_exporter",
    "opentelemetry.exporter.otlp.proto.http.metric_exporter",
    "opentelemetry.exporter.otlp.proto.http._log_exporter",
    "opentelemetry.exporter.otlp.proto.grpc.exporter",
    "opentelemetry.exporter.otlp.json.file.trace_exporter",
    "opentelemetry.exporter.otlp.json.file.metric_exporter",
    "opentelemetry.exporter.otlp.json.file._log_exporter",
    "opentelemetry.exporter.otlp.common.http",
    "opentelemetry.sdk._shared_internal",
    "opentelemetry.sdk.trace.export",
    "opentelemetry.sdk._logs._internal.export",
    "opentelemetry.sdk.metrics._internal",
    "opentelemetry.sdk.metrics._internal.export",
)

# --- Web framework -------------------------------------------------------------------------------------------------
# FastAPI's own telemetry leaves a scope alone that has this key: fastapi/applications.py, FastAPI.__call__. Without
# it a WebSocket has spans of FastAPI's beside ours.
FASTAPI_KEY: Final = "fastapi.telemetry"


def is_stack_built(app: Any) -> bool:
    """Whether a Starlette application has built its middleware stack; then it is too late to insert any.

    Where it has no such attribute, True: it only matters where other code replaced the method that builds the stack.
    """
    return getattr(app, "middleware_stack", app) is not None


# --- Model Context Protocol ----------------------------------------------------------------------------------------
def is_known_tool(server: Any, name: Any) -> bool:
    """Whether a FastMCP server has a tool of this name.

    What is public of it (`list_tools`) is a coroutine that describes all tools. Without the manager no tool is known
    and all have the name `_OTHER`: what clients invent must not become a label.
    """
    manager = getattr(server, "_tool_manager", None)
    return manager is not None and manager.get_tool(name) is not None


def request_context(server: Any) -> Any:
    """The request that a FastMCP server is answering: `request_id` and `meta`; None where it is not to be had.

    Without it the span has neither the id of the request nor a link to the client's trace.
    """
    owner = getattr(server, "_mcp_server", None)
    if not hasattr(owner, "request_context") and hasattr(server, "get_context"):
        owner = server.get_context()
    return getattr(owner, "request_context", None)
