"""Spans as OTLP JSON: what it has for itself; what each encoder is held to is in test_encoders."""

from __future__ import annotations

from opentelemetry.sdk.trace import ReadableSpan

from ailoop_otel.recording.fast import json_lines
from ailoop_otel.recording.fast.json_lines import encoded
from tests.recording.fast.arbitrary import USUAL


def test_a_batch_is_one_line() -> None:
    """Line breaks and quotes in what it holds are escaped; no spans are no line."""
    text = 'a "line"\r\n\u2028\x00\U0001f600'
    line = encoded([ReadableSpan(**{**USUAL, "name": text, "attributes": {text: text}})] * 3)
    assert line.isascii()
    assert line.splitlines(keepends=True) == [line]
    assert line.endswith(b"}\n")
    assert encoded([]) == b""


def test_strangers_texts_do_not_stay() -> None:
    """Neither many nor long ones are remembered, and the memory that is kept stays small."""
    for number in range(2_000):
        encoded([ReadableSpan(**{**USUAL, "attributes": {f"key {number}": f"value {number}", "n" * 200: number}})])
    assert len(json_lines._known) <= 512
    json_lines._known.clear()
    long = {"long": "x" * 200, "n" * 200: 1, "m" * 200: 0.5, "longer": ("x" * 200,), "o" * 200: True}
    encoded([ReadableSpan(**{**USUAL, "attributes": long})])
    assert list(json_lines._known) == [("long", str)]
