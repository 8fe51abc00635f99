"""Folders and files that the user may not read: no command takes them for empty ones."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from ailoop_otel import cli
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
