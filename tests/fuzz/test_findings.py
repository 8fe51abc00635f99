"""What the engines found, each once and for good."""

from __future__ import annotations

import json

from ailoop_otel.protocol.answer import Answer
from ailoop_otel.protocol.registry import DIALECTS
from ailoop_otel.server.stream import ModelStream
from tests.scripted import update


def test_a_cost_of_401_digits_ends_no_stream() -> None:
    """A whole number that no float can hold."""
    stream = ModelStream(lambda: 1)
    stream.line(b"data: " + json.dumps({"usage": {"cost": 10**400}}).encode())
    assert stream.summary.cost is None


def test_the_size_of_an_answer_is_never_negative() -> None:
    """An update that was cut is shorter than what is no text in the one before."""
    answer: Answer[int] = Answer(0)
    for now, text in enumerate((update("a"), update("abcdef")[:-30]), 1):
        form = DIALECTS.form(text)
        assert form is not None
        answer.take(now, text, form)
    assert answer.streamed_size >= 0
