"""`ailoop-otel top` asks a real Prometheus."""

from __future__ import annotations

import io
import json

import pytest

from ailoop_otel.terminal import Terminal
from ailoop_otel.view import top
from tests.stack.backends import Prometheus, eventually


@pytest.mark.usefixtures("busy")
def test_top_knows_the_server_as_it_is_now(metrics: Prometheus) -> None:
    """All its numbers but those of what was kept on disk or dropped: nothing was."""
    source = top.Prometheus(metrics.address)
    now = eventually(source.read, lambda now: None not in (now.per_minute, now.first_p95, now.lag) and now.errors)
    for name in ("open", "silent", "sessions", "retained", "connections"):
        assert now.values[name] >= 0, name
    assert now.values["retained"] > 0
    assert now.values["memory"] > 10e6
    assert now.per_minute is not None
    assert now.per_minute > 0
    assert 0 < (now.first_p50 or 0) <= (now.first_p95 or 0)
    assert {"500", "unknown_tool", "ai_timeout"} <= set(now.errors)
    console = Terminal(file=io.StringIO(), width=100)
    top.top(source, console, once=True, json=True)
    assert json.loads(console.file.getvalue())["source"] == metrics.address  # type: ignore[attr-defined]
