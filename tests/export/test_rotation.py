"""Files of lines: when they are closed, which of them go, and what trouble looks like."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from ailoop_otel.export import rotation
from ailoop_otel.export.rotation import Bounds, RotatingFile
from ailoop_otel.export.trouble import Troubles

NAME = re.compile(r"traces-\d{8}T\d{6}Z-\d+-\d+\.jsonl")


class Wall:
    """A clock that is set by hand, seconds since the epoch."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        """The time."""
        return self.now


@pytest.fixture
def wall() -> Wall:
    """A clock that begins now, as the files' own times do."""
    return Wall()


def _rotating(
    directory: Path,
    wall: Callable[[], float] = time.time,
    troubles: Troubles | None = None,
    max_file: float = 1e6,
    max_total: float = 1e8,
    max_age: float = 1e6,
) -> RotatingFile:
    bounds = Bounds(str(directory), max_file, max_total, max_age)
    return RotatingFile("traces", bounds, wall, troubles or Troubles())


def _files(directory: Path) -> list[Path]:
    return sorted(directory.iterdir(), key=lambda path: int(path.stem.rsplit("-", 1)[1]))


def _left_behind(directory: Path, pid: int, size: int = 10, age: float = 0.0, stamp: float | None = None) -> Path:
    """A file as another process leaves it."""
    opened = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(time.time() - age if stamp is None else stamp))
    path = directory / f"logs-{opened}-{pid}-1.jsonl"
    path.write_bytes(b"x" * size)
    os.utime(path, (time.time() - age, time.time() - age))
    return path


def _ended_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_nothing_is_made_before_the_first_line(tmp_path: Path) -> None:
    """The directory comes with the first line, also where its parents are missing."""
    directory = tmp_path / "a" / "b"
    file = _rotating(directory)
    assert not (tmp_path / "a").exists()
    assert file.write(b"one\n")
    (path,) = _files(directory)
    assert NAME.fullmatch(path.name)
    assert f"-{os.getpid()}-1.jsonl" in path.name
    file.close()


def test_only_the_owner_can_read(tmp_path: Path) -> None:
    """A new directory is 0700 and its files are 0600, whatever the umask allows."""
    before = os.umask(0)
    try:
        file = _rotating(tmp_path / "new")
        file.write(b"one\n")
    finally:
        os.umask(before)
    (path,) = _files(tmp_path / "new")
    assert (path.parent.stat().st_mode & 0o777, path.stat().st_mode & 0o777) == (0o700, 0o600)
    file.close()


def test_a_directory_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    """Whoever made the directory for a collector to read has decided."""
    (tmp_path / "shared").mkdir(mode=0o755)
    file = _rotating(tmp_path / "shared")
    file.write(b"one\n")
    assert (tmp_path / "shared").stat().st_mode & 0o777 == 0o755
    file.close()


def test_the_directory_does_not_move_with_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative directory is where the process was when the exporter was made."""
    file = _rotating(Path("here"))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    file.write(b"one\n")
    assert len(_files(tmp_path / "here")) == 1
    file.close()


@given(sizes=some.lists(some.integers(1, 300), max_size=40), max_file=some.integers(50, 400))
def test_rotation_keeps_every_line_whole_and_in_order(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], max_file: int
) -> None:
    """No file grows beyond its bound unless one line alone does, and all lines together are what was written."""
    directory = tmp_path_factory.mktemp("rotation")
    file = _rotating(directory, max_file=max_file)
    lines = [bytes([65 + number % 26]) * (size - 1) + b"\n" for number, size in enumerate(sizes)]
    for line in lines:
        assert file.write(line)
    file.close()
    contents = [path.read_bytes() for path in _files(directory)]
    assert b"".join(contents) == b"".join(lines)
    assert all(len(content) <= max_file or content.count(b"\n") == 1 for content in contents)


def test_a_file_is_closed_after_a_tenth_of_its_age(tmp_path: Path, wall: Wall) -> None:
    """A quiet signal's file does not hold lines that are long too old."""
    file = _rotating(tmp_path, wall, max_age=1000)
    for now in (0, 99, 102, 300):
        wall.now += now
        file.write(b"one\n")
        wall.now -= now
    assert [path.read_bytes().count(b"\n") for path in _files(tmp_path)] == [2, 1, 1]
    file.close()


def test_the_oldest_files_go_beyond_the_directory_s_size(tmp_path: Path) -> None:
    """What is left is the newest, and within the bound."""
    file = _rotating(tmp_path, max_file=100, max_total=1000)
    for number in range(50):
        file.write(f"{number:099d}\n".encode())
    left = _files(tmp_path)
    assert sum(path.stat().st_size for path in left) <= 1000
    assert [int(path.read_bytes()) for path in left] == list(range(50 - len(left), 50))
    assert len(left) >= 9
    file.close()


def test_small_directories_get_smaller_files(tmp_path: Path) -> None:
    """Open files are not deleted, so three of them must fit into the directory."""
    file = _rotating(tmp_path, max_file=1e6, max_total=400)
    for _ in range(20):
        file.write(b"x" * 49 + b"\n")
    assert max(path.stat().st_size for path in _files(tmp_path)) <= 100
    assert sum(path.stat().st_size for path in _files(tmp_path)) <= 400
    file.close()


def test_old_files_go(tmp_path: Path, wall: Wall) -> None:
    """Beyond their age they go at the next look, which is a minute after the last, without any rotation."""
    old = _left_behind(tmp_path, _ended_pid(), age=90)
    file = _rotating(tmp_path, wall, max_age=100)
    file.write(b"one\n")
    assert old.exists()
    wall.now += 9
    file.write(b"two\n")
    assert old.exists()
    wall.now += 60
    file.write(b"three\n")
    assert not old.exists()
    file.close()


def test_only_files_of_ours_go(tmp_path: Path) -> None:
    """Whatever else lies in the directory stays, however old and big."""
    pid = _ended_pid()
    others = [
        "notes.txt",
        "traces.jsonl",
        f"traces-20200101T000000Z-{pid}-1.jsonl.bak",
        f"spans-20200101T000000Z-{pid}-1.jsonl",
        f"traces-20201301T000000Z-{pid}-1.jsonl",
        f"traces-20200101T000000Z-{pid}.jsonl",
    ]
    for name in others:
        (tmp_path / name).write_bytes(b"x" * 1000)
        os.utime(tmp_path / name, (1, 1))
    (tmp_path / f"traces-20200101T000000Z-{pid}-2.jsonl").mkdir()
    (tmp_path / f"traces-20200101T000000Z-{pid}-3.jsonl").symlink_to(tmp_path / "notes.txt")
    ours = _left_behind(tmp_path, pid, age=10_000)
    file = _rotating(tmp_path, max_total=100, max_age=1000)
    file.write(b"one\n")
    assert not ours.exists()
    assert all((tmp_path / name).read_bytes() == b"x" * 1000 for name in others)
    assert (tmp_path / f"traces-20200101T000000Z-{pid}-2.jsonl").is_dir()
    file.close()


def test_a_running_process_keeps_its_files(tmp_path: Path) -> None:
    """A file of another pid stays while that process runs, and goes when it has ended."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    theirs = _left_behind(tmp_path, process.pid, size=1000)
    os.utime(theirs, (1, 1))
    file = _rotating(tmp_path, max_file=10, max_total=100, max_age=1000)
    file.write(b"one\n")
    assert theirs.exists()
    process.communicate()
    file.write(b"x" * 30 + b"\n")
    assert not theirs.exists()
    file.close()


def test_a_pid_that_was_given_again_keeps_no_files(tmp_path: Path) -> None:
    """A process that began long after the file was opened is not the one that wrote it."""
    stale = _left_behind(tmp_path, os.getppid(), age=10_000, stamp=1_000_000_000.0)
    file = _rotating(tmp_path, max_age=1000)
    file.write(b"one\n")
    assert not stale.exists()
    file.close()


def test_a_locked_file_stays(tmp_path: Path) -> None:
    """A file that somebody holds is live, though its pid says nothing here: containers share volumes, not pids."""
    theirs = _left_behind(tmp_path, _ended_pid(), age=10_000)
    with open(theirs, "ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        file = _rotating(tmp_path, max_file=10, max_age=1000)
        file.write(b"one\n")
        assert theirs.exists()
    file.write(b"x" * 30 + b"\n")
    assert not theirs.exists()
    file.close()


def test_another_exporter_of_this_process_keeps_its_file(tmp_path: Path) -> None:
    """The three signals do not delete each other's open files, and do delete those that are closed."""
    one, two = _rotating(tmp_path), _rotating(tmp_path, max_file=10, max_age=1000)
    one.write(b"one\n")
    (theirs,) = _files(tmp_path)
    os.utime(theirs, (1, 1))
    two.write(b"two\n")
    assert theirs.exists()
    one.close()
    two.write(b"x" * 30 + b"\n")
    assert not theirs.exists()
    two.close()


def test_a_vanished_directory_is_made_again(tmp_path: Path) -> None:
    """Lines do not go into a deleted file unseen."""
    directory = tmp_path / "telemetry"
    file = _rotating(directory)
    file.write(b"one\n")
    for path in _files(directory):
        path.unlink()
    directory.rmdir()
    assert file.write(b"two\n")
    (path,) = _files(directory)
    assert path.read_bytes() == b"two\n"
    file.close()


def test_a_file_that_was_moved_away_is_left_alone(tmp_path: Path) -> None:
    """After somebody took the file, the next line begins another."""
    file = _rotating(tmp_path)
    file.write(b"one\n")
    (path,) = _files(tmp_path)
    path.rename(tmp_path / "taken-0.txt")
    file.write(b"two\n")
    assert [path.read_bytes() for path in _files(tmp_path)] == [b"one\n", b"two\n"]
    file.close()


def test_a_directory_that_is_a_file_is_one_line(tmp_path: Path, lines: Callable[[], list[str]]) -> None:
    """It names the variable to set, once for all signals; lines are refused until it is mended."""
    path = tmp_path / "telemetry"
    path.write_text("")
    troubles = Troubles()
    files = [_rotating(path, troubles=troubles) for _ in range(3)]
    assert not any(file.write(b"one\n") for file in files * 5)
    assert len(lines()) == 1
    assert "AILOOP_OTEL_DIRECTORY" in lines()[0]
    assert str(path) in lines()[0]
    path.unlink()
    assert all(file.write(b"two\n") for file in files)
    assert len(lines()) == 1
    for file in files:
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
def test_each_kind_of_trouble_has_its_mend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: Callable[[], list[str]], number: int, mend: str
) -> None:
    """A read-only directory, a full disk, no permission: what to do is said, and writing goes on afterwards."""

    def refuse(*_arguments: object) -> int:
        raise OSError(number, os.strerror(number))

    file = _rotating(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(rotation.os, "open", refuse)
        assert not file.write(b"one\n")
        assert not file.write(b"one\n")
    assert len(lines()) == 1
    assert mend in lines()[0]
    assert os.strerror(number) in lines()[0]
    assert file.write(b"two\n")
    file.close()


def test_trouble_is_told_again_when_it_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: Callable[[], list[str]]
) -> None:
    """It is news once it was over, though not within the same minute, and another kind is news at once."""
    now = [0.0]
    number = errno.EROFS
    troubles = Troubles(lambda: now[0])
    file = _rotating(tmp_path, troubles=troubles)

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


def test_half_a_line_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that stops in the middle leaves no trace in the file, and the next line is whole."""
    file = _rotating(tmp_path)
    file.write(b"one\n")
    real = os.write
    with monkeypatch.context() as patched:
        patched.setattr(rotation.os, "write", lambda fd, data: real(fd, data[:2]) if len(data) > 3 else 0)
        assert not file.write(b"twotwo\n")
    file.write(b"three\n")
    (path,) = _files(tmp_path)
    assert path.read_bytes() == b"one\nthree\n"
    file.close()


def test_half_a_line_that_cannot_be_taken_back_ends_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next line begins a file of its own instead of going on behind the half one."""
    file = _rotating(tmp_path)
    real = os.write
    with monkeypatch.context() as patched:
        patched.setattr(rotation.os, "write", lambda fd, data: real(fd, data[:2]) if len(data) > 3 else 0)
        patched.setattr(rotation.os, "ftruncate", lambda *_: (_ for _ in ()).throw(OSError(errno.EIO, "no")))
        assert not file.write(b"twotwo\n")
    assert file.write(b"three\n")
    assert [path.read_bytes() for path in _files(tmp_path)] == [b"twot"[:4], b"three\n"]
    file.close()


def test_a_write_in_pieces_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel that takes a line in pieces is given the rest."""
    file = _rotating(tmp_path)
    real = os.write
    with monkeypatch.context() as patched:
        patched.setattr(rotation.os, "write", lambda fd, data: real(fd, data[:3]))
        assert file.write(b"one two three\n")
    (path,) = _files(tmp_path)
    assert path.read_bytes() == b"one two three\n"
    file.close()


def _in_child(work: Callable[[], None]) -> int:
    pid = os.fork()
    if not pid:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_file_system_that_is_really_full(tmp_path: Path) -> None:
    """Where the kernel itself cuts a write short, only whole lines are left in the files."""
    line = json.dumps({"text": "x" * 1000}).encode() + b"\n"

    def fill() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_500, 10_500))
        file = _rotating(tmp_path)
        assert [file.write(line) for _ in range(12)].count(True) == 10

    assert _in_child(fill) == 0
    (path,) = _files(tmp_path)
    assert path.read_bytes() == line * 10


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_writes_a_file_of_its_own(tmp_path: Path) -> None:
    """Parent and child go on, each in its own file, and the parent's is still its own."""
    file = _rotating(tmp_path)
    file.write(b"parent\n")
    assert _in_child(lambda: file.write(b"child\n") or os._exit(1)) == 0
    file.write(b"parent\n")
    contents = {int(path.stem.split("-")[2]) == os.getpid(): path.read_bytes() for path in _files(tmp_path)}
    assert contents == {True: b"parent\nparent\n", False: b"child\n"}
    file.close()


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_does_not_unlock_its_parent_s_file(tmp_path: Path) -> None:
    """After the child has turned to its own file, the parent's still counts as live."""
    file = _rotating(tmp_path)
    file.write(b"parent\n")
    (path,) = _files(tmp_path)
    assert _in_child(lambda: file.write(b"child\n") or os._exit(1)) == 0
    assert path.exists()
    with open(path, "rb") as other, pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    file.close()
