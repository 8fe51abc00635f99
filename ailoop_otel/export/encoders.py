"""What encodes batches of a signal: as lines of OTLP JSON for files, and as OTLP protobuf for a collector.

The encoders are the official ones; spans go through our own, which costs less, where that fast path is switched on.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Sequence
from typing import Any, Final

from opentelemetry.sdk.trace import ReadableSpan

from ailoop_otel.guard import Guard
from ailoop_otel.recorded.otlp_json import LOGS, METRICS, TRACES, Signal
from ailoop_otel.recording.internals import encode_logs
from ailoop_otel.settings import Settings

Encode = Callable[[Any], bytes]
_json: Final = json.JSONEncoder(separators=(",", ":")).encode


def line_encoder(signal: Signal, settings: Settings, guard: Guard) -> Encode:
    """What encodes batches as lines, each with its break; an empty batch is an empty line.

    It raises for what cannot be encoded. Raises ImportError where OpenTelemetry has no such encoder.
    """
    encode = _official(signal, "json")

    def line(batch: Any) -> bytes:
        document = encode(batch).to_dict()
        return f"{_json(document)}\n".encode() if document else b""

    return _spans(line, "json_lines", guard) if signal is TRACES and "json" in settings.fast_paths else line


def message_encoder(signal: Signal, settings: Settings, guard: Guard) -> Encode:
    """As `line_encoder`, as the bytes of an export request."""
    encode = _official(signal, "proto")

    def message(batch: Any) -> bytes:
        return bytes(encode(batch).SerializeToString())

    return _spans(message, "protobuf", guard) if signal is TRACES and "protobuf" in settings.fast_paths else message


def _official(signal: Signal, form: str) -> Callable[[Any], Any]:
    package = f"opentelemetry.exporter.otlp.{form}.common"
    if signal is LOGS:
        return encode_logs(package)
    name, function = ("metrics_encoder", "encode_metrics") if signal is METRICS else ("trace_encoder", "encode_spans")
    encode: Callable[[Any], Any] = getattr(importlib.import_module(f"{package}.{name}"), function)
    return encode


def _spans(official: Encode, module: str, guard: Guard) -> Encode:
    """Our encoder; a batch that it fails for is encoded by the official one, and `guard` counts the fault."""
    try:
        ours: Encode = importlib.import_module(f"ailoop_otel.recording.fast.{module}").encoded
    except ImportError:  # of what a release lacks
        return official

    def encode(spans: Sequence[ReadableSpan]) -> bytes:
        with guard:
            return ours(spans)
        return official(spans)

    return encode
