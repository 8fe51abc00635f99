"""Files of lines: when they are closed, and that every line in them is whole."""

from __future__ import annotations

import errno
import json
import os
import re
import resource
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from ailoop_otel.export import rotation
from tests.export.child import in_child
from tests.export.folder import Wall, files, rotating

NAME = re.compile(r"traces-\d{8}T\d{6}Z-\d+-\d+\.jsonl")


def test_nothing_is_made_before_the_first_line(tmp_path: Path) -> None:
    """The directory comes with the first line, also where its parents are missing."""
    directory = tmp_path / "a" / "b"
    file = rotating(directory)
    assert not (tmp_path / "a").exists()
    assert file.write(b"one\n")
    (path,) = files(directory)
    assert NAME.fullmatch(path.name)
    assert f"-{os.getpid()}-1.jsonl" in path.name
    file.close()


def test_only_the_owner_can_read(tmp_path: Path) -> None:
    """A new directory is 0700 and its files are 0600, whatever the umask allows."""
    before = os.umask(0)
    try:
        file = rotating(tmp_path / "new")
        file.write(b"one\n")
    finally:
        os.umask(before)
    (path,) = files(tmp_path / "new")
    assert (path.parent.stat().st_mode & 0o777, path.stat().st_mode & 0o777) == (0o700, 0o600)
    file.close()


def test_a_directory_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    """Whoever made the directory for a collector to read has decided."""
    (tmp_path / "shared").mkdir(mode=0o755)
    file = rotating(tmp_path / "shared")
    file.write(b"one\n")
    assert (tmp_path / "shared").stat().st_mode & 0o777 == 0o755
    file.close()


def test_the_directory_does_not_move_with_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative directory is where the process was when the exporter was made."""
    file = rotating(Path("here"))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    file.write(b"one\n")
    assert len(files(tmp_path / "here")) == 1
    file.close()


@given(sizes=some.lists(some.integers(1, 300), max_size=40), max_file=some.integers(50, 400))
def test_rotation_keeps_every_line_whole_and_in_order(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], max_file: int
) -> None:
    """No file grows beyond its bound unless one line alone does, and all lines together are what was written."""
    directory = tmp_path_factory.mktemp("rotation")
    file = rotating(directory, max_file=max_file)
    lines = [bytes([65 + number % 26]) * (size - 1) + b"\n" for number, size in enumerate(sizes)]
    for line in lines:
        assert file.write(line)
    file.close()
    contents = [path.read_bytes() for path in files(directory)]
    assert b"".join(contents) == b"".join(lines)
    assert all(len(content) <= max_file or content.count(b"\n") == 1 for content in contents)


def test_a_file_is_closed_after_a_tenth_of_its_age(tmp_path: Path, wall: Wall) -> None:
    """A quiet signal's file does not hold lines that are long too old."""
    file = rotating(tmp_path, wall, max_age=1000)
    for now in (0, 99, 102, 300):
        wall.now += now
        file.write(b"one\n")
        wall.now -= now
    assert [path.read_bytes().count(b"\n") for path in files(tmp_path)] == [2, 1, 1]
    file.close()


@pytest.mark.fault(
    "disk",
    theirs="The telemetry directory is deleted while the server runs",
    promise="It is made again",
)
def test_a_vanished_directory_is_made_again(tmp_path: Path) -> None:
    """Lines do not go into a deleted file unseen."""
    directory = tmp_path / "telemetry"
    file = rotating(directory)
    file.write(b"one\n")
    for path in files(directory):
        path.unlink()
    directory.rmdir()
    assert file.write(b"two\n")
    (path,) = files(directory)
    assert path.read_bytes() == b"two\n"
    file.close()


@pytest.mark.fault(
    "disk",
    theirs="Somebody moves a file away while it is written",
    promise="The next line begins another file",
)
def test_a_file_that_was_moved_away_is_left_alone(tmp_path: Path) -> None:
    """After somebody took the file, the next line begins another."""
    file = rotating(tmp_path)
    file.write(b"one\n")
    (path,) = files(tmp_path)
    path.rename(tmp_path / "taken-0.txt")
    file.write(b"two\n")
    assert [path.read_bytes() for path in files(tmp_path)] == [b"one\n", b"two\n"]
    file.close()


@pytest.mark.fault(
    "disk",
    theirs="A write stops in the middle of a line",
    promise="The half line is taken back, and the next one is whole",
)
def test_half_a_line_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that stops in the middle leaves no trace in the file, and the next line is whole."""
    file = rotating(tmp_path)
    file.write(b"one\n")
    real = os.write
    with monkeypatch.context() as patched:
        patched.setattr(rotation.os, "write", lambda fd, data: real(fd, data[:2]) if len(data) > 3 else 0)
        assert not file.write(b"twotwo\n")
    file.write(b"three\n")
    (path,) = files(tmp_path)
    assert path.read_bytes() == b"one\nthree\n"
    file.close()


@pytest.mark.fault(
    "disk",
    theirs="Half a line that cannot be taken back",
    promise="The next line begins a file of its own",
)
def test_half_a_line_that_cannot_be_taken_back_ends_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next line begins a file of its own instead of going on behind the half one."""
    file = rotating(tmp_path)
    real = os.write
    with monkeypatch.context() as patched:
        patched.setattr(rotation.os, "write", lambda fd, data: real(fd, data[:2]) if len(data) > 3 else 0)
        patched.setattr(rotation.os, "ftruncate", lambda *_: (_ for _ in ()).throw(OSError(errno.EIO, "no")))
        assert not file.write(b"twotwo\n")
    assert file.write(b"three\n")
    assert [path.read_bytes() for path in files(tmp_path)] == [b"twot"[:4], b"three\n"]
    file.close()


def test_a_write_in_pieces_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel that takes a line in pieces is given the rest."""
    file = rotating(tmp_path)
    real = os.write
    with monkeypatch.context() as patched:
        patched.setattr(rotation.os, "write", lambda fd, data: real(fd, data[:3]))
        assert file.write(b"one two three\n")
    (path,) = files(tmp_path)
    assert path.read_bytes() == b"one two three\n"
    file.close()


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
@pytest.mark.fault(
    "disk",
    theirs="The kernel cuts a write short on a full file system",
    promise="Only whole lines are left in the files",
)
def test_a_file_system_that_is_really_full(tmp_path: Path) -> None:
    """Where the kernel itself cuts a write short, only whole lines are left in the files."""
    line = json.dumps({"text": "x" * 1000}).encode() + b"\n"

    def fill() -> bool:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_500, 10_500))
        file = rotating(tmp_path)
        return [file.write(line) for _ in range(12)].count(True) == 10

    assert in_child(fill) == 0
    (path,) = files(tmp_path)
    assert path.read_bytes() == line * 10


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_writes_a_file_of_its_own(tmp_path: Path) -> None:
    """Parent and child go on, each in its own file, and the parent's is still its own."""
    file = rotating(tmp_path)
    file.write(b"parent\n")
    assert in_child(lambda: file.write(b"child\n")) == 0
    file.write(b"parent\n")
    contents = {int(path.stem.split("-")[2]) == os.getpid(): path.read_bytes() for path in files(tmp_path)}
    assert contents == {True: b"parent\nparent\n", False: b"child\n"}
    file.close()
