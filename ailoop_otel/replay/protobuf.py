"""OTLP protobuf: recorded requests in the encoding that the exporters send, and the responses to it."""

from __future__ import annotations

import base64
import json
import re
from importlib import import_module
from typing import Any, Final

from google.protobuf.json_format import ParseDict, ParseError
from google.protobuf.message import DecodeError
from google.rpc.status_pb2 import Status

from ailoop_otel.recorded.otlp_json import LOGS, METRICS, TRACES, Json, Signal
from ailoop_otel.replay.export_request import ExportRequest

# Neither package has types.
_parse: Final[Any] = ParseDict
_status: Final[Any] = Status
_NOUN: Final = {TRACES.name: "Trace", METRICS.name: "Metrics", LOGS.name: "Logs"}
# In OTLP JSON these are hexadecimal, and not base64 as in protobuf's own JSON:
# https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
_IDS: Final = ("traceId", "spanId", "parentSpanId")


def message(signal: Signal, kind: str) -> Any:
    """A signal's message `Request` or `Response`; raises ImportError where there is none."""
    noun = _NOUN[signal.name]
    module = import_module(f"opentelemetry.proto.collector.{noun.lower()}.v1.{noun.lower()}_service_pb2")
    return getattr(module, f"Export{noun}Service{kind}")


def service(signal: Signal) -> str:
    """The path of a signal's gRPC method."""
    noun = _NOUN[signal.name]
    return f"/opentelemetry.proto.collector.{noun.lower()}.v1.{noun}Service/Export"


def encoded(request: ExportRequest) -> bytes:
    """A recorded request as protobuf; raises ValueError for what is no OTLP."""
    try:
        root = json.loads(request.content, object_hook=_with_base64_ids)
        content: bytes = _parse(
            root, message(request.signal, "Request")(), ignore_unknown_fields=True
        ).SerializeToString()
    except (ParseError, RecursionError) as fault:
        raise ValueError(str(fault)) from None
    return content


def said(signal: Signal, content: bytes, *, accepted: bool) -> tuple[int, str]:
    """How many records a response rejects, and its message; nothing for what is no such response."""
    try:
        if not accepted:
            return 0, _status.FromString(content).message
        return rejections(signal, message(signal, "Response").FromString(content))
    except DecodeError:
        return 0, ""


def rejections(signal: Signal, response: Any) -> tuple[int, str]:
    """How many records a decoded response rejects, and its message."""
    partial = response.partial_success
    field = re.sub(r"(?=[A-Z])", "_", signal.rejected).lower()
    return max(0, getattr(partial, field)), partial.error_message


def _with_base64_ids(holder: Json) -> Json:
    for name in _IDS:
        value = holder.get(name)
        if isinstance(value, str):
            holder[name] = base64.b64encode(bytes.fromhex(value)).decode()
    return holder
