"""The official OTLP exporters with an encoder of our own for spans; all else about them stays theirs."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from types import FunctionType, MethodType
from typing import Any, Final

from opentelemetry.sdk.trace import ReadableSpan

from ailoop_otel.guard import Guard
from ailoop_otel.recording.internals import ENCODER, ENCODING_METHODS

_CLASS: Final = "OTLPSpanExporter"
_HTTP: Final = "opentelemetry.exporter.otlp.proto.http.trace_exporter"

Encoder = Callable[[Sequence[ReadableSpan]], Any]


class _Request:
    """A message of which only the bytes are wanted; where more of it is asked for, it is decoded."""

    def __init__(self, content: bytes, decode: Callable[[bytes], Any]) -> None:
        self._content = content
        self._decode = decode

    def SerializePartialToString(self) -> bytes:
        """The bytes."""
        return self._content

    def __getattr__(self, name: str) -> Any:
        return getattr(self._decode(self._content), name)


def quickened(exporter: Any, guard: Guard) -> Any:
    """The same span exporter; an official one encodes as `protobuf` does from now on.

    A batch that our encoder fails for is encoded by the official one, and the fault is counted. An exporter of
    another class stays as it is, and so does one of a release that is built otherwise.
    """
    kind = type(exporter)
    name = ENCODING_METHODS.get(kind.__module__, "") if kind.__name__ == _CLASS else ""
    method = inspect.getattr_static(exporter, name, None)
    if isinstance(method, FunctionType) and ENCODER in method.__code__.co_names:
        encoder = _encoder(kind.__module__, method.__globals__.get(ENCODER), guard)
        if encoder is not None:
            setattr(exporter, name, MethodType(_calling(method, encoder), exporter))
    return exporter


def _encoder(module: str, official: Encoder | None, guard: Guard) -> Encoder | None:
    try:
        from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

        from ailoop_otel.recording.fast.protobuf import encoded
    except ImportError:
        return None
    if official is not encode_spans:
        return None
    decode = ExportTraceServiceRequest.FromString

    def encode(spans: Sequence[ReadableSpan]) -> Any:
        with guard:
            content = encoded(spans)
            # gRPC takes true messages only.
            return _Request(content, decode) if module == _HTTP else decode(content)
        return encode_spans(spans)

    return encode


def _calling(method: FunctionType, encoder: Encoder) -> FunctionType:
    """A copy of a method for which the encoder's name means another; the module it is of stays as it is."""
    names = {**method.__globals__, ENCODER: encoder}
    copy = FunctionType(method.__code__, names, method.__name__, method.__defaults__, method.__closure__)
    copy.__kwdefaults__ = method.__kwdefaults__
    return copy
