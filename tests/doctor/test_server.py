"""Which AILoop is here, and which of its functions."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

from ailoop_otel.doctor import server
from ailoop_otel.doctor.findings import NOTE, PROBLEM
from ailoop_otel.server.targets import BOTH, DELEGATES, STATELESS, TARGETS
from tests.ailoop.process import checkout, standin
from tests.doctor.conftest import about, complete

REAL = [path for path in os.environ.get("AILOOP_CHECKOUT", "").split(os.pathsep) if path]
PLACES = [pytest.param("", kind, id=kind) for kind in (STATELESS, DELEGATES)] + [
    pytest.param(path, checkout(path).dialect, id=f"real-{Path(path).name}", marks=pytest.mark.real_ailoop)
    for path in REAL
]


@pytest.mark.parametrize(("path", "kind"), PLACES)
def test_every_target_is_there_or_known_to_be_absent(path: str, kind: str, tmp_path: Path) -> None:
    """Each row of the table has a finding, and nothing is a problem."""
    findings = tuple(server.check(Path(path) if path else complete(kind, tmp_path / "copy")))
    assert kind in about(findings, "AILoop").sentence
    assert PROBLEM not in {finding.level for finding in findings}
    for row in TARGETS:
        finding = about(findings, f"{row.module}.{row.path}" if row.generation == BOTH else row.path)
        if finding.level == NOTE:
            assert not server.is_own(row)
            assert "not installed here" in finding.sentence
            continue
        here = row.generation in (kind, BOTH)
        assert finding.sentence.startswith("found" if here else "not in this generation of AILoop"), finding
        assert (row.gives in finding.sentence) == here


@pytest.fixture(scope="module")
def copies(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A copy of each generation that lacks nothing; who changes it changes it back."""
    place = tmp_path_factory.mktemp("copies")
    return {kind: complete(kind, place / kind) for kind in (STATELESS, DELEGATES)}


@pytest.mark.parametrize("row", [row for row in TARGETS if server.is_own(row)], ids=lambda row: row.path)
def test_exactly_the_function_that_is_missing_is_a_problem(row: server.HookPoint, copies: dict[str, Path]) -> None:
    """In a copy in which it has another name."""
    copy = copies[row.generation]
    path = copy / (row.module.replace(".", "/") + ".py")
    name, before = row.path.rpartition(".")[2], path.read_text()
    text, changes = re.subn(rf"def {name}\(", f"def {name}_before(", before)
    assert changes >= 1
    path.write_text(text)
    findings = tuple(server.check(copy))
    path.write_text(before)
    assert [finding.subject for finding in findings if finding.level == PROBLEM] == [row.path]
    assert f"without {row.gives}" in about(findings, row.path).sentence
    assert "pip install --upgrade ailoop-otel" in about(findings, row.path).mend


def test_a_module_that_is_gone_is_a_problem_of_its_own_targets(tmp_path: Path) -> None:
    """The other targets determine the generation."""
    copy = complete(STATELESS, tmp_path / "copy")
    (copy / "ai_whisperer" / "services" / "ai" / "openrouter.py").unlink()
    findings = tuple(server.check(copy))
    assert [each.subject for each in findings if each.level == PROBLEM] == ["OpenRouterAIService._stream_internal"]


def test_a_folder_without_a_server_says_where_to_go(tmp_path: Path) -> None:
    """And names the option."""
    findings = tuple(server.check(tmp_path))
    finding = about(findings, "AILoop")
    assert finding.level == PROBLEM
    assert "--checkout" in finding.mend


def test_a_server_of_an_unknown_generation_is_reported(tmp_path: Path) -> None:
    """It has the entry point and none of the functions."""
    (tmp_path / "interactive_server").mkdir()
    (tmp_path / "interactive_server" / "main.py").touch()
    finding = about(tuple(server.check(tmp_path)), "AILoop")
    assert finding.level == PROBLEM
    assert "a generation that nobody knows" in finding.sentence


def test_a_server_that_this_python_cannot_read_is_reported(tmp_path: Path) -> None:
    """With the line, and without importing it."""
    copy = complete(DELEGATES, tmp_path / "copy")
    (copy / "interactive_server" / "main.py").write_text("x = 1\nclass class\n")
    finding = about(tuple(server.check(copy)), "interactive_server.main")
    assert (finding.level, "line 2" in finding.sentence) == (PROBLEM, True)
    assert "the Python that it is written for" in finding.mend


def test_a_library_without_which_the_server_does_is_a_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own code is all that a server must have."""
    package = tmp_path / "mcp" / "server"
    monkeypatch.setattr(server, "folders", lambda checkout: [checkout])
    finding = about(tuple(server.check(standin(STATELESS).root)), "FastMCP.call_tool")
    assert (finding.level, "pip install mcp" in finding.mend) == (NOTE, True)
    package.mkdir(parents=True)
    monkeypatch.setattr(server, "folders", lambda checkout: [checkout, tmp_path])
    assert about(tuple(server.check(standin(STATELESS).root)), "FastMCP.call_tool").level == PROBLEM


def test_a_missing_library_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """AILoop calls its models by it."""
    monkeypatch.setitem(sys.modules, "requests", None)
    finding = about(tuple(server.check(standin(STATELESS).root)), "requests.post")
    assert (finding.level, finding.mend) == (PROBLEM, "pip install requests.")
