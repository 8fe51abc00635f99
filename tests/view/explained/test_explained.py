"""`explain` names the culprit of exchanges that are slow for a known reason."""

from __future__ import annotations

import asyncio
import io
import json
from pathlib import Path
from typing import Any

import pytest

from ailoop_otel.terminal import Terminal
from ailoop_otel.view.explain import explain
from tests.ailoop.process import STATELESS, standin
from tests.ailoop.provider import Provider
from tests.serving.folder import Folder
from tests.view.explained import stage

# What a sentence must say, by case.
SAID = {
    "first_chunk": "slow to begin",
    "pace": "streamed slowly",
    "tool": "system_health_check ran for",
    "blocking_tool": "stood still for everybody",
    "frozen": "execute_command of session",
    "queued": "as soon as the answer before it",
    "repeated": "failed before it with 429",
    "prompt": "prompt is large",
    "frames": "each frame repeats",
    "garbage_collection": "garbage collection held the server",
}


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """The telemetry of all cases on the stand-in, and the trace of each."""
    place = tmp_path_factory.mktemp("explained")
    folder = Folder(place / "telemetry")
    with Provider() as provider:
        variables = stage.variables(provider.plain_environment(), folder, place)
        playing = stage.play(standin(STATELESS), provider, variables, folder, place / "site", stage.CASES)
        return folder.path, asyncio.run(playing)


# Times that are no part of the exchange's own come after those that are: on a busy machine its own may be longer too.
OUTSIDE = ("queued", "repeated")


def explained(place: Path, *traces: str) -> dict[str, Any]:
    """What `explain --json` says of these traces."""
    console = Terminal(file=io.StringIO(), width=120)
    explain(place, traces, console, json=True)
    document: dict[str, Any] = json.loads(console.file.getvalue())  # type: ignore[attr-defined]
    return document


@pytest.mark.parametrize("case", SAID)
def test_the_culprit_is_named(played: tuple[Path, dict[str, str]], case: str) -> None:
    """First of the causes, and in a plain sentence."""
    place, traces = played
    found = explained(place, traces[case])
    kinds = [cause["cause"] for cause in found["causes"]]
    assert case in (kinds if case in OUTSIDE else kinds[:1]), found["text"]
    assert SAID[case] in found["text"]
