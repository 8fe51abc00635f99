"""What is logged about a directory that cannot be written."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ailoop_otel.export import rotation
from ailoop_otel.export.notices import DirectoryWarnings
from tests.export.folder import rotating


def test_a_directory_that_is_a_file_is_one_line(tmp_path: Path, lines: Callable[[], list[str]]) -> None:
    """It names the variable to set, once for all signals; lines are refused until it is mended."""
    path = tmp_path / "telemetry"
    path.write_text("")
    warnings = DirectoryWarnings()
    signals = [rotating(path, warnings=warnings) for _ in range(3)]
    assert not any(file.write(b"one\n") for file in signals * 5)
    assert len(lines()) == 1
    assert "AILOOP_OTEL_DIRECTORY" in lines()[0]
    assert str(path) in lines()[0]
    path.unlink()
    assert all(file.write(b"two\n") for file in signals)
    assert len(lines()) == 1
    for file in signals:
        file.close()


@pytest.mark.parametrize(
    ("number", "mend"),
    [
        (errno.EROFS, "make it writable"),
        (errno.EACCES, "make it writable"),
        (errno.ENOSPC, "free some space"),
        (errno.EDQUOT, "free some space"),
        (errno.EIO, "make it writable"),
    ],
)
@pytest.mark.fault(
    "disk",
    theirs="The disk is read-only, full, over quota, broken or forbidden",
    promise="One line with what to do; writing goes on afterwards",
)
def test_each_kind_of_fault_has_its_mend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: Callable[[], list[str]], number: int, mend: str
) -> None:
    """A read-only directory, a full disk, no permission: the line has what to do, and writing goes on afterwards."""

    def refuse(*_arguments: object) -> int:
        raise OSError(number, os.strerror(number))

    file = rotating(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(rotation.os, "open", refuse)
        assert not file.write(b"one\n")
        assert not file.write(b"one\n")
    assert len(lines()) == 1
    assert mend in lines()[0]
    assert os.strerror(number) in lines()[0]
    assert file.write(b"two\n")
    file.close()


def test_a_fault_is_logged_again_when_it_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: Callable[[], list[str]]
) -> None:
    """It is news once it was over, though not within the same minute, and another kind is news at once."""
    now = [0.0]
    number = errno.EROFS
    warnings = DirectoryWarnings(lambda: now[0])
    file = rotating(tmp_path, warnings=warnings)

    def fail() -> int:
        with monkeypatch.context() as patched:
            patched.setattr(rotation.os, "write", lambda *_: (_ for _ in ()).throw(OSError(number, "trouble")))
            assert not file.write(b"one\n")
        return len(lines())

    assert fail() == 1
    now[0] = 3600.0
    assert fail() == 1
    assert file.write(b"two\n")
    assert fail() == 2
    assert file.write(b"two\n")
    now[0] = 3630.0
    assert fail() == 2
    number = errno.ENOSPC
    assert fail() == 3
    file.close()
