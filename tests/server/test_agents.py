"""An agent's name: only what may be recorded of what its configuration says."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ailoop_otel.server.agents import agent_name


@pytest.mark.parametrize(
    ("name", "recorded"),
    [("Debbie the Debugger", "Debbie the Debugger"), ("\ud800", "d"), ("a\nb", "d"), ("x" * 65, "d"), (7, "d")],
)
def test_a_name_is_recorded_where_it_is_one(name: Any, recorded: str) -> None:
    """One line, printable, and short: else an exporter may lose it, and who reads it a line."""
    assert agent_name("d", SimpleNamespace(config=SimpleNamespace(name=name))) == recorded
