"""The sizes that are told without reading a frame."""

from __future__ import annotations

import pytest

from ailoop_otel.protocol.delegates import Delegates
from ailoop_otel.protocol.stateless import Stateless
from tests.scripted import chunk, update


@pytest.mark.parametrize("text", ["", "a", "some words " * 20])
def test_a_chunks_text_is_measured_by_its_frame(text: str) -> None:
    """In both dialects, for ids and agents of the usual length."""
    assert Stateless().chunk_size(len(update(text))) == len(text)
    assert Delegates().chunk_size(len(chunk(text))) == len(text)
