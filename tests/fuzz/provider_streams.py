"""Streams of a model's provider, line by line."""

from __future__ import annotations

import itertools
import json
from typing import Any

from hypothesis import strategies as some
from opentelemetry.exporter.otlp.proto.common._internal import _encode_attributes

from ailoop_otel.protocol.foreign import harmless
from ailoop_otel.server.stream import ModelStream
from tests.fuzz.otlp import ANYTHING, ODD
from tests.fuzz.target import Target

USAGE = some.dictionaries(some.sampled_from(["prompt_tokens", "completion_tokens", "cost"]), ODD)
CHOICE = some.fixed_dictionaries(
    {},
    optional={
        "delta": some.dictionaries(some.sampled_from(["content", "role", "reasoning", "tool_calls"]), ODD) | ANYTHING,
        "finish_reason": some.sampled_from(["stop", "length", None]) | ODD,
    },
)
CHUNKS = some.fixed_dictionaries(
    {},
    optional={
        "id": ODD, "model": ODD, "choices": some.lists(CHOICE, max_size=2) | ANYTHING, "usage": USAGE | ANYTHING,
        "error": some.fixed_dictionaries({"code": ODD}) | ANYTHING,
    },
)  # fmt: skip
LINES = CHUNKS.map(lambda chunk: b"data: " + json.dumps(chunk).encode()) | some.sampled_from(
    [b"data: [DONE]", b": OPENROUTER PROCESSING", b"data:", b"data: ", b"event: x", b"data: {", b"data: null", b"\xff"]
)


def check(lines: list[bytes]) -> None:
    """No line raises; what is known at the end can be exported, and counts no less than nothing."""
    ticks = itertools.count(1)
    stream = ModelStream(lambda: next(ticks))
    for line in filter(None, lines):
        stream.line(line)
    stream.add(0, 0, lines[-1] if lines else b"")
    assert 0 <= stream.chunks <= len(lines)
    assert stream.size >= 0
    # Texts are recorded only if they are harmless.
    found = (
        (name, harmless(value) if isinstance(value, str) else value) for name, value in vars(stream.summary).items()
    )
    known: dict[str, Any] = {name: value for name, value in found if value is not None}
    encoded = _encode_attributes(known) or []
    assert len(encoded) == len(known), known
    for attribute in encoded:
        attribute.SerializeToString()


TARGET = Target(
    "provider-streams",
    "server/stream.py",
    some.lists(LINES, max_size=8),
    check,
    random=5_000,
    guided=80_000,
    from_bytes=lambda data: data.split(b"\n"),
    seeds=(
        b": OPENROUTER PROCESSING\n"
        b'data: {"id":"g","model":"a/b","choices":[{"delta":{"content":"x"},"finish_reason":null}]}\n\n'
        b'data: {"choices":[{"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"cost":0.1}}\n'
        b'data: {"error":{"code":429,"message":"m"}}\ndata: [DONE]',
    ),
)
