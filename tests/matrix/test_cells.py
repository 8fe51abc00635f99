"""The cells cover what the table promises, and what does not work is said in a line. No environment is made."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.ailoop.process import DELEGATES, STATELESS, checkout
from tests.benchmarks.environments import Unavailable
from tests.matrix import environments
from tests.matrix.cells import CELLS, OWN, RANGES, STACK, WEB, WEB_OLDEST, Cell, oldest
from tests.matrix.run import orphans, root_of, warnings
from tests.serving.folder import SERVER, Span
from tests.starts import rows
from tests.starts.cells import PYTHONS


def test_the_oldest_of_each_range_is_tried_alone() -> None:
    """Beside the newest of everything else; OpenTelemetry's packages go together."""
    own = [cell.requirements for cell in CELLS if cell.group == OWN]
    assert all(sum(oldest(each) in requirements for requirements in own) == 1 for each in RANGES)
    web = [cell.requirements for cell in CELLS if cell.group == WEB]
    assert all(any(requirements[len(STACK) :][:1] == (each,) for requirements in web) for each in WEB_OLDEST)


def test_both_generations_run_on_each_python() -> None:
    """With their pins; and with the newest of everything on one."""
    for dialect in (STATELESS, DELEGATES):
        real = [cell for cell in CELLS if cell.real and cell.dialect == dialect]
        assert {cell.python for cell in real if "its pins" in cell.title} == set(PYTHONS)
        assert any(not cell.requirements for cell in real)


def test_no_two_cells_have_one_title() -> None:
    """It chooses them, and names their rows."""
    assert len({cell.title for cell in CELLS}) == len(CELLS)
    assert [cell.title for cell in rows.chosen(CELLS, ["wrapt", "psutil"])] == ["oldest psutil", "oldest wrapt"]
    assert rows.chosen(CELLS, []) == list(CELLS)


def test_a_real_server_is_found_by_its_generation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Among the checkouts that AILOOP_CHECKOUT names; None if it names none."""
    (tmp_path / "interactive_server").mkdir()
    assert checkout(tmp_path).dialect == DELEGATES
    current, earlier = (
        next(cell for cell in CELLS if cell.real and cell.dialect == each) for each in (STATELESS, DELEGATES)
    )
    monkeypatch.setenv("AILOOP_CHECKOUT", str(tmp_path))
    assert (root_of(current), root_of(earlier)) == (None, tmp_path)


def test_rows_of_a_server_that_is_not_here_stay_as_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And are named; the others are kept after each."""
    monkeypatch.setattr(rows, "RESULTS", tmp_path)
    monkeypatch.setattr(rows, "PATH", tmp_path / "page.md")
    cells = [Cell("", title) for title in ("here", "elsewhere")]
    first: dict[str, Any] = {"here": {"cell": "here", "result": "1"}, "elsewhere": {"cell": "elsewhere", "result": "2"}}
    rows.try_cells("kept", "cell", cells, [], lambda cell: first[cell.title])
    then = {"here": {"cell": "here", "result": "3"}}
    rows.try_cells("kept", "cell", cells, [], lambda cell: then.get(cell.title))
    kept = rows.results(tmp_path)["kept"]["rows"]
    assert [(row["cell"], row["result"]) for row in kept] == [("here", "3"), ("elsewhere", "2")]
    assert "elsewhere -> as it was: AILOOP_CHECKOUT does not name it" in capsys.readouterr().out


def test_a_python_that_is_not_here_is_not_tried() -> None:
    """With its name."""
    with pytest.raises(Unavailable, match=r"^not tried: python9\.9 is not on this machine$"):
        environments.python(["x"], "python9.9")


def test_what_cannot_be_installed_is_said_by_its_conflict() -> None:
    """Not by the advice that pip ends with."""
    text = "Collecting a\nERROR: Cannot install a==1 and b==2 because they conflict.\nERROR: for help visit https://x\n"
    assert environments.reason(_failed(text)) == "Cannot install a==1 and b==2 because they conflict."
    assert environments.reason(_failed("error: no compiler\n")) == "error: no compiler"


def _failed(text: str) -> subprocess.CalledProcessError:
    return subprocess.CalledProcessError(1, "pip", stderr=text)


def test_warnings_of_ours_are_told_apart_from_what_is_on() -> None:
    """Those of OpenTelemetry too, and none of the server's own."""
    said = (
        "ailoop-otel: 0.1.0 observes AILoop's generation 'stateless'\n"
        "2026-11-29 INFO ailoop_otel: all is well\nDEBUG - opentelemetry.sdk - x\nERROR the server's own\n"
        '  File "ailoop_otel/wire/socket.py", line 148, in send\n'
        "ailoop-otel: it is missing\nWARNING opentelemetry.sdk: dropped\n"
    )
    assert list(warnings(said)) == [
        "it says: ailoop-otel: it is missing",
        "it says: WARNING opentelemetry.sdk: dropped",
    ]


def test_a_span_of_a_message_without_its_parent_is_said() -> None:
    """The roots have none, and traces of others are not looked at."""
    spans = [_span("sendUserMessage", "1", "a", ""), _span("chat x", "1", "b", "a"), _span("GET /", "2", "c", "z")]
    assert list(orphans(spans)) == []
    assert list(orphans([*spans, _span("chat y", "1", "d", "e")])) == ["chat y has no parent"]


def _span(name: str, trace: str, id: str, parent: str) -> Span:
    return Span(name, trace, id, parent, 0.0, 1.0, False, {}, (), SERVER)
