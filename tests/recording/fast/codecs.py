"""Both encoders beside their official ones: what each writes, read again, in one form that can be compared."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

from opentelemetry.exporter.otlp.json.file import FileSpanExporter
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult

from ailoop_otel.guard import tried
from ailoop_otel.recording.fast import json_lines, protobuf

Read = Callable[[list[ReadableSpan]], object]


@dataclass(frozen=True)
class Codec:
    """One encoder of ours; `ours` and `officially` give what is read of a batch, None where it is refused."""

    module: ModuleType
    ours: Read
    officially: Read

    def check(self, spans: list[ReadableSpan]) -> None:
        """A batch comes to the same."""
        assert self.ours(spans) == self.officially(spans)


def _bytes(request: ExportTraceServiceRequest | None, _: BaseException | None) -> object:
    # Not the messages themselves: one that holds a NaN does not equal itself, and 0.0 equals -0.0.
    return None if request is None else request.SerializeToString(deterministic=True)


def _protobuf(spans: list[ReadableSpan]) -> object:
    return _bytes(*tried(lambda: ExportTraceServiceRequest.FromString(protobuf.encoded(spans))))


def _official_protobuf(spans: list[ReadableSpan]) -> object:
    return _bytes(*tried(encode_spans, spans))


def _read(line: str | None) -> object:
    # Any order of the fields, none of them twice; 0.0 equals -0.0, and a NaN nothing, but they read otherwise.
    return line and repr(json.loads(line, object_pairs_hook=lambda pairs: sorted(pairs, key=lambda pair: pair[0])))


def _json(spans: list[ReadableSpan]) -> object:
    line = tried(json_lines.encoded, spans)[0]
    return _read(None if line is None else line.decode("ascii"))


def _official_json(spans: list[ReadableSpan]) -> object:
    stream = io.StringIO()
    written = FileSpanExporter(stream=stream).export(spans)
    return _read(stream.getvalue() if written is SpanExportResult.SUCCESS else None)


PROTOBUF = Codec(protobuf, _protobuf, _official_protobuf)
JSON = Codec(json_lines, _json, _official_json)
