"""The stand-in speaks like the real servers: every recorded conversation, held with it again, goes the same way.

With AILOOP_CHECKOUT (and AILOOP_PYTHON) set, the same is held with the real servers that it names, so that the
transcripts stay honest too.
"""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.ailoop.process import DELEGATES, MIXED, STATELESS, Installation, checkout, serving, standin
from tests.ailoop.provider import Provider
from tests.ailoop.scenarios import SCENARIOS, Scenario
from tests.ailoop.transcripts import FOLDER, Entry, hold, load

Held = dict[tuple[Installation, str], "list[Entry] | BaseException"]
AGAIN = 3  # conversations


def _installations() -> list[Installation]:
    paths = filter(None, os.environ.get("AILOOP_CHECKOUT", "").split(os.pathsep))
    python = os.environ.get("AILOOP_PYTHON", sys.executable)
    return [standin(STATELESS), standin(DELEGATES), *(checkout(each, python) for each in paths)]


def _cases() -> list[Any]:
    ours = Path(__file__).parent / "ailoop"
    cases = []
    for installation in _installations():
        real = installation.root.parent != ours
        marks = [pytest.mark.real_ailoop] if real else []
        for each in _scenarios(installation.dialect):
            name = f"{'real' if real else 'standin'}-{installation.dialect}-{each.name}"
            cases.append(pytest.param(installation, each.name, id=name, marks=marks))
    return cases


def _scenarios(dialect: str) -> list[Scenario]:
    return [each for each in SCENARIOS if dialect in each.dialects]


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Held:
    """Hold all conversations that are tested at once: the longest, of ten seconds, decides how long it takes."""
    wanted = {
        (each.callspec.params["installation"], each.callspec.params["name"])
        for each in request.session.items
        if each.path == request.path and hasattr(each, "callspec") and "installation" in each.callspec.params
    }
    with Provider() as provider, ExitStack() as servers:
        environment = provider.environment() | {"HOME": str(tmp_path_factory.mktemp("home"))}
        ports = {
            each: servers.enter_context(serving(each, environment)).port
            for each in _installations()
            if each in {installation for installation, _ in wanted}
        }
        return asyncio.run(_hold_all(ports, wanted))


async def _hold_all(ports: dict[Installation, int], wanted: set[tuple[Installation, str]]) -> Held:
    names = {each.name: each for each in SCENARIOS}
    cases = sorted(wanted, key=lambda each: each[1])
    transcripts = await asyncio.gather(
        *(hold(names[name], ports[server], server.dialect) for server, name in cases), return_exceptions=True
    )
    held: Held = dict(zip(cases, transcripts, strict=True))
    # All at once on a busy machine, a frame may be late for its turn: what went another way is held again, by itself.
    for server, name in [case for case in cases if not _as_recorded(case, held[case])][:AGAIN]:
        (held[server, name],) = await asyncio.gather(
            hold(names[name], ports[server], server.dialect), return_exceptions=True
        )
    return held


def _as_recorded(case: tuple[Installation, str], said: list[Entry] | BaseException) -> bool:
    installation, name = case
    expected = load(installation.dialect, name)
    return not isinstance(said, BaseException) and _by_direction(said) == _by_direction(expected)


@pytest.mark.timeout(60)
@pytest.mark.parametrize(("installation", "name"), _cases())
def test_same_frames_as_recorded(installation: Installation, name: str, held: Held) -> None:
    """The same frames in the same order: methods, keys, separators and text."""
    said = held[installation, name]
    if isinstance(said, BaseException):
        raise said
    expected = load(installation.dialect, name)
    assert _by_direction(said) == _by_direction(expected)


def _by_direction(entries: list[Entry]) -> dict[tuple[int, str], list[str]]:
    """Return the texts of each connection, each way: how the two ways interleave is a matter of microseconds."""
    texts: dict[tuple[int, str], list[str]] = {}
    for each in entries:
        texts.setdefault((each.get("connection", 1), each["direction"]), []).append(each["text"])
    return texts


@pytest.mark.parametrize("dialect", [STATELESS, DELEGATES])
def test_every_transcript_has_its_scenario(dialect: str) -> None:
    """No transcript is left of a conversation that is held no more, and none is missing."""
    recorded = {each.stem for each in (FOLDER / dialect).glob("*.json")}
    assert recorded == {each.name for each in _scenarios(dialect)}


@pytest.mark.parametrize("dialect", [STATELESS, DELEGATES, MIXED])
def test_the_standin_knows_nothing_of_its_observer(dialect: str) -> None:
    """It is instrumented from outside or not at all."""
    for path in standin(dialect).root.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert "ailoop_otel" not in text
        assert "opentelemetry" not in text
