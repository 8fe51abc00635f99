"""OTLP over gRPC: one attempt to send a request by the channel of an official exporter, and what the answer means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import grpc

from ailoop_otel.recorded.otlp_json import Signal, text
from ailoop_otel.replay import hops, protobuf
from ailoop_otel.replay.delivery import Answer, Attempt

# gRPC itself waits up to two minutes before it connects again, and answers for the collector meanwhile.
OPTIONS: Final = (("grpc.max_reconnect_backoff_ms", 5_000),)
_UNSUPPORTED: Final = ("UNAUTHENTICATED", "PERMISSION_DENIED", "UNIMPLEMENTED", "NOT_FOUND")
_TOO_LARGE: Final = ("larger than max", "too large", "exceeds")
_LONGEST: Final = 200


class Grpc:
    """A channel to a collector with the metadata that each call carries; `timeout` is in seconds."""

    def __init__(self, base: str, channel: Any, metadata: Sequence[tuple[str, str]], timeout: float) -> None:
        self.base = base
        self._channel = channel
        self._metadata = tuple(metadata)
        self._timeout = timeout

    def close(self) -> None:
        """Close the channel."""
        self._channel.close()

    def attempt(self, signal: Signal, content: bytes) -> Attempt:
        """Send one request, encoded as protobuf, once."""
        call = self._channel.unary_unary(
            protobuf.service(signal),
            request_serializer=lambda encoded: encoded,
            response_deserializer=protobuf.message(signal, "Response").FromString,
        )
        try:
            response = call(content, timeout=self._timeout, metadata=self._metadata)
        except grpc.RpcError as fault:
            call_fault: Any = fault
            return _failed(call_fault.code().name, text(call_fault.details() or ""))
        except ValueError as fault:  # the channel is closed
            return Attempt(problem=f"cannot be asked ({fault})", hopeless=True)
        rejected, message = protobuf.rejections(signal, response)
        said = text(message)[:_LONGEST]
        return Attempt(Answer(accepted=True, rejected=rejected, message=said), hop=hops.rejecting(rejected, said))


def _failed(code: str, details: str) -> Attempt:
    hop = hops.of_grpc(code, details)
    said = f"answers {code} {details[:_LONGEST]}".rstrip()
    if code == "RESOURCE_EXHAUSTED" and any(words in details for words in _TOO_LARGE):
        answer = Answer(accepted=False, message=said, divisible=True, too_large=True, final=True, mend=hops.TOO_LARGE)
        return Attempt(answer, hop=hop)
    if code == "INVALID_ARGUMENT":
        return Attempt(Answer(accepted=False, message=said, divisible=True, final=True, mend=hop.mend), hop=hop)
    if code in _UNSUPPORTED:
        return Attempt(Answer(accepted=False, message=said, unsupported=True, mend=hop.mend), hop=hop)
    return Attempt(problem=said, hop=hop)
