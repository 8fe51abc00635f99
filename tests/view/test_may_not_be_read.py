"""Folders and files that the user may not read: no command takes them for empty ones."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from ailoop_otel import cli, commands
from tests.view.sample import Sample

COMMANDS = [(), ("traces",), ("traces", "--follow"), ("explain",), ("top", "--once")]


@pytest.fixture(autouse=True)
def place(sample: Sample, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The telemetry of a server."""
    sample.exchange("s-1", 0, 1.0)
    sample.close()
    monkeypatch.chdir(sample.directory.parent)
    monkeypatch.setenv("AILOOP_OTEL_DIRECTORY", str(sample.directory))
    return sample.directory


def _refused(capsys: pytest.CaptureFixture[str], words: tuple[str, ...]) -> str:
    assert cli.main(words) == 2
    output = capsys.readouterr()
    assert output.out == ""
    return output.err


@pytest.mark.parametrize("words", COMMANDS)
@pytest.mark.parametrize("forbidden", [os.R_OK, os.X_OK])
def test_a_folder_that_may_not_be_read_is_not_an_empty_one(
    words: tuple[str, ...], forbidden: int, place: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """Listing it is forbidden, or opening what is in it; root may do both, so the answer is made here."""

    def iterdir(self: Path) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(os, "access", lambda path, mode: path != place or not mode & forbidden)
    monkeypatch.setattr(Path, "iterdir", iterdir)
    assert _refused(capsys, words).startswith(f"ailoop-otel: {place} may not be read: run this as the user who runs")


@pytest.mark.parametrize("words", COMMANDS)
def test_a_folder_behind_one_that_may_not_be_passed_is_told_so(
    words: tuple[str, ...], place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody can know whether it is there."""
    real = os.stat

    def stat(path: Any, **options: Any) -> os.stat_result:
        if str(path) == str(place):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, **options)

    monkeypatch.setattr(os, "stat", stat)
    assert "may not be read" in _refused(capsys, words)


def _forbid(monkeypatch: pytest.MonkeyPatch, *forbidden: Path) -> None:
    """Let these files not be opened; root could."""
    real = os.open

    def open_(path: Any, *words: Any, **options: Any) -> int:
        if Path(path) in forbidden:
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, *words, **options)

    monkeypatch.setattr(os, "open", open_)


@pytest.mark.parametrize("words", [words for words in COMMANDS if "--follow" not in words])
def test_files_that_may_not_be_read_are_not_empty_ones(
    words: tuple[str, ...], place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where none may be read there are no numbers."""
    _forbid(monkeypatch, *place.iterdir())
    assert f"nothing in {place} can be read: traces-" in _refused(capsys, words)


def test_top_says_which_files_it_could_not_read(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And where lines are damaged, beside the numbers of those that it could."""
    whole = Sample(place, 102)
    whole.exchange("s-1", 0, 1.0)
    whole.close()
    with whole.path.open("a") as file:
        file.write("{}}\n")
    (hidden,) = set(place.iterdir()) - {whole.path}
    _forbid(monkeypatch, hidden)
    assert cli.main(["top", "--once"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert f"could not be read: {hidden.name} (Permission denied)" in shown
    assert f"1 line could not be read and was skipped, the first in {whole.path.name}" in shown
    assert cli.main(["top", "--once", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["skipped_lines"] == 1
    assert found["unreadable"] == [f"{hidden.name} (Permission denied)"]


@pytest.mark.parametrize(
    "words", [("explain",), ("traces", "--trace"), ("traces", "--follow", "--since", "2000-01-01")]
)
def test_json_without_a_place_for_warnings_leaves_them_to_the_error_output(
    words: tuple[str, ...], place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is missing is never silent, and the output stays JSON."""
    whole = Sample(place, 102)
    root = whole.exchange("s-1", 0, 1.0)
    whole.close()
    (hidden,) = set(place.iterdir()) - {whole.path}
    _forbid(monkeypatch, hidden)
    _end_at_the_first_pause(monkeypatch)
    trace = [f"{root.get_span_context().trace_id:032x}"] if words[-1] == "--trace" else []
    assert cli.main([*words, *trace, "--json"]) in (0, 130)
    output = capsys.readouterr()
    assert f"could not be read: {hidden.name} (Permission denied)" in output.err
    assert all(json.loads(line)["kind"] for line in output.out.splitlines())


def _end_at_the_first_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(commands, "_wait", interrupt)
