"""A few kills at fixed moments; `make kill` makes 50, and on the real server too."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ailoop.process import STATELESS, standin
from tests.ailoop.provider import Provider
from tests.kill.last_kill import WAYS, kill


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("seed", [1, 2])
def test_what_a_killed_server_had_written_is_whole(way: str, seed: int, tmp_path: Path) -> None:
    """All lines but an unfinished last one are read, shown and delivered, and no more than one batch twice."""
    with Provider() as provider:
        account = kill(way, seed, standin(STATELESS), provider.plain_environment(), tmp_path / "telemetry")
    assert account.problems == [], account
    assert account.answered >= 1
