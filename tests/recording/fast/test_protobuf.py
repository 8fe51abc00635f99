"""Spans as protobuf: what it has for itself; what each encoder is held to is in test_encoders."""

from __future__ import annotations

from opentelemetry.sdk.trace import ReadableSpan

from ailoop_otel.recording.fast import protobuf
from ailoop_otel.recording.fast.protobuf import encoded
from tests.recording.fast.arbitrary import USUAL


def test_strangers_texts_do_not_stay() -> None:
    """Neither many nor long ones are remembered, and the memory that is kept stays small."""
    for number in range(2_000):
        encoded([ReadableSpan(**{**USUAL, "attributes": {f"key {number}": f"value {number}", "n" * 200: number}})])
    assert len(protobuf._known) <= 512
    protobuf._known.clear()
    long = {"long": "x" * 200, "n" * 200: 1, "m" * 200: 0.5, "longer": ("x" * 200,), "o" * 200: True}
    encoded([ReadableSpan(**{**USUAL, "attributes": long})])
    assert protobuf._known == {}
