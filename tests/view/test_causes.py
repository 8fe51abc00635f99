"""Which cause a longer stream has."""

from __future__ import annotations

import pytest

from ailoop_otel.view.causes import causes
from ailoop_otel.view.exchanges import Exchange
from ailoop_otel.view.profile import STREAM, ModelCall, Profile, Usual


@pytest.mark.parametrize(
    ("chunks", "seconds", "kind"),
    [(16.0, 1.6, "length"), (8.0, 1.1, "pace"), (8.0, 3.0, "pace"), (16.0, 6.0, "pace")],
)
def test_a_stream_takes_longer_by_its_chunks_or_by_its_pace(chunks: float, seconds: float, kind: str) -> None:
    """As many chunks as usual are no longer answer, however little slower they came."""
    call = ModelCall(0, 0.0, seconds, chunks, "200", True)
    exchange = Exchange("a", "b", "s", 0, round(seconds * 1e9), "ok", chunks=chunks)
    profile = Profile(exchange, (), None, {STREAM: seconds}, (call,), 0.0, None)
    usual = Usual(5, True, 0.8, {STREAM: 0.8}, 0.0, 0.0, 8.0, 0.8 / 7, None)
    first, *_ = causes(profile, usual, [profile], "usually")
    assert first.kind == kind
