"""The server never notices, whatever inside it of ours raises."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.ailoop.process import DELEGATES, STATELESS, standin
from tests.ailoop.provider import Provider

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize("dialect", [STATELESS, DELEGATES])
def test_the_client_sees_the_same_where_a_hook_inside_raises(dialect: str, tmp_path: Path) -> None:
    """Each function of the rooms inside the server in its turn."""
    root = standin(dialect).root
    with Provider() as provider:
        environment = {
            **os.environ,
            **provider.plain_environment(),
            "AILOOP_OTEL_DIRECTORY": str(tmp_path / "telemetry"),
            "HOME": str(tmp_path),
            "PYTHONPATH": str(ROOT),
        }
        command = [sys.executable, "-m", "tests.server.hook_faults", str(root), dialect]
        done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=120)
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert found, done.stderr[-3000:]
    assert [each["name"] for each in found if not each["same"]] == []
    assert sum(each["hits"] > 0 for each in found) > (20 if dialect == STATELESS else 10)
