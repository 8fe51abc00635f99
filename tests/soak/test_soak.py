"""A minute of everything at once: nothing is lost, nothing is left, memory is flat."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.reliability.balance import Balance
from tests.soak.plot import draw
from tests.soak.run import soak

SECONDS = float(os.environ.get("SOAK_SECONDS", "60"))


@pytest.mark.soak
@pytest.mark.fault(
    "collector",
    theirs="The collector goes away twice, while clients chat, fail, wait, leave and drop",
    promise="Each message's span arrives; no thread, task or open count is left; memory is as flat as the server's own",
)
def test_a_soak_loses_nothing_and_leaves_nothing(tmp_path: Path, balance: Balance) -> None:
    """SOAK_SECONDS long, beside a server without the package under the same sessions."""
    found = soak(SECONDS, tmp_path)
    balance("messages", made=found.made, delivered=found.delivered, kept=found.kept, lost=found.lost)
    assert found.faults == []
    assert draw(found.as_json()).startswith("<svg")
