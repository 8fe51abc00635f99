"""An agent's attributes: only what may be recorded of what its configuration says."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ailoop_otel import names
from ailoop_otel.server.agents import agent_attributes


@pytest.mark.parametrize(
    ("name", "recorded"),
    [("Debbie the Debugger", "Debbie the Debugger"), ("\ud800", None), ("a\nb", None), ("x" * 65, None), (7, None)],
)
def test_a_name_is_recorded_where_it_is_one(name: Any, recorded: str | None) -> None:
    """One line, printable, and short: else an exporter may lose it, and who reads it a line."""
    attributes = agent_attributes("d", SimpleNamespace(config=SimpleNamespace(name=name)), None)
    assert attributes.get(names.GEN_AI_AGENT_NAME) == recorded
