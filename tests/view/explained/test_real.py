"""`explain` names the culprit on the real server of the current generation too."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from tests.ailoop.process import STATELESS, checkout
from tests.ailoop.provider import Provider
from tests.serving.conftest import CHECKOUTS, PYTHON, ROOT
from tests.serving.folder import Folder
from tests.view.explained import stage
from tests.view.explained.test_explained import SAID, explained

pytestmark = [
    pytest.mark.real_ailoop,
    pytest.mark.skipif(not CHECKOUTS, reason="AILOOP_CHECKOUT is not set"),
]
CASES = (
    stage.first_chunk, stage.pace, stage.blocking_tool, stage.frozen, stage.queued, stage.repeated, stage.frames,
    stage.garbage_collection, stage.prompt,
)  # fmt: skip


def test_the_culprit_is_named_on_the_real_server(tmp_path: Path) -> None:
    """All cases but the tool that waits: the real server has none that does nothing else."""
    (installation,) = [found for path in CHECKOUTS if (found := checkout(path, PYTHON)).dialect == STATELESS]
    folder = Folder(tmp_path / "telemetry")
    with Provider() as provider:
        variables = stage.variables(provider.environment(), folder, tmp_path)
        variables["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
        traces = asyncio.run(stage.play(installation, provider, variables, folder, tmp_path / "site", CASES))
    for case, trace in traces.items():
        found = explained(folder.path, trace)
        assert found["culprit"] == case, found["text"]
        assert SAID[case] in found["text"]
