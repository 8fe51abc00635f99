"""Which files go, and which stay."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.export.child import in_child
from tests.export.folder import Wall, files, rotating


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


@pytest.mark.fault(
    "disk",
    ours="More telemetry than the directory may hold",
    promise="The oldest files go, never beyond the bound",
)
def test_the_oldest_files_go_beyond_the_directory_s_size(tmp_path: Path) -> None:
    """What is left is the newest, and within the bound."""
    file = rotating(tmp_path, max_file=100, max_total=1000)
    for number in range(50):
        file.write(f"{number:099d}\n".encode())
    left = files(tmp_path)
    assert sum(path.stat().st_size for path in left) <= 1000
    assert [int(path.read_bytes()) for path in left] == list(range(50 - len(left), 50))
    assert len(left) >= 9
    file.close()


def test_small_directories_get_smallerfiles(tmp_path: Path) -> None:
    """Open files are not deleted, so three of them must fit into the directory."""
    file = rotating(tmp_path, max_file=1e6, max_total=400)
    for _ in range(20):
        file.write(b"x" * 49 + b"\n")
    assert max(path.stat().st_size for path in files(tmp_path)) <= 100
    assert sum(path.stat().st_size for path in files(tmp_path)) <= 400
    file.close()


def test_old_files_go(tmp_path: Path, wall: Wall) -> None:
    """Beyond their age they go at the next look, which is a minute after the last, without any rotation."""
    old = _left_behind(tmp_path, _ended_pid(), age=90)
    file = rotating(tmp_path, wall, max_age=100)
    file.write(b"one\n")
    assert old.exists()
    wall.now += 9
    file.write(b"two\n")
    assert old.exists()
    wall.now += 60
    file.write(b"three\n")
    assert not old.exists()
    file.close()


@pytest.mark.fault(
    "disk",
    ours="Other files lie in the telemetry directory",
    promise="They stay, however old and big",
)
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
    file = rotating(tmp_path, max_total=100, max_age=1000)
    file.write(b"one\n")
    assert not ours.exists()
    assert all((tmp_path / name).read_bytes() == b"x" * 1000 for name in others)
    assert (tmp_path / f"traces-20200101T000000Z-{pid}-2.jsonl").is_dir()
    assert (tmp_path / f"traces-20200101T000000Z-{pid}-3.jsonl").is_symlink()
    file.close()


def test_a_running_process_keeps_itsfiles(tmp_path: Path) -> None:
    """A file of another pid stays while that process runs, and goes when it has ended."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    theirs = _left_behind(tmp_path, process.pid, size=1000)
    os.utime(theirs, (1, 1))
    file = rotating(tmp_path, max_file=10, max_total=100, max_age=1000)
    file.write(b"one\n")
    assert theirs.exists()
    process.communicate()
    file.write(b"x" * 30 + b"\n")
    assert not theirs.exists()
    file.close()


@pytest.mark.fault(
    "disk",
    theirs="A process number is given again",
    promise="The files of the old process are not taken for live ones",
)
def test_a_pid_that_was_given_again_keeps_nofiles(tmp_path: Path) -> None:
    """A process that began long after the file was opened is not the one that wrote it."""
    stale = _left_behind(tmp_path, os.getppid(), age=10_000, stamp=1_000_000_000.0)
    file = rotating(tmp_path, max_age=1000)
    file.write(b"one\n")
    assert not stale.exists()
    file.close()


def test_a_locked_file_stays(tmp_path: Path) -> None:
    """A file that somebody holds is live, though its pid says nothing here: containers share volumes, not pids."""
    theirs = _left_behind(tmp_path, _ended_pid(), age=10_000)
    with open(theirs, "ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        file = rotating(tmp_path, max_file=10, max_age=1000)
        file.write(b"one\n")
        assert theirs.exists()
    file.write(b"x" * 30 + b"\n")
    assert not theirs.exists()
    file.close()


def test_another_exporter_of_this_process_keeps_its_file(tmp_path: Path) -> None:
    """The three signals do not delete each other's open files, and do delete those that are closed."""
    one, two = rotating(tmp_path), rotating(tmp_path, max_file=10, max_age=1000)
    one.write(b"one\n")
    (theirs,) = files(tmp_path)
    os.utime(theirs, (1, 1))
    two.write(b"two\n")
    assert theirs.exists()
    one.close()
    two.write(b"x" * 30 + b"\n")
    assert not theirs.exists()
    two.close()


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_does_not_unlock_its_parent_s_file(tmp_path: Path) -> None:
    """After the child has turned to its own file, the parent's still counts as live."""
    file = rotating(tmp_path)
    file.write(b"parent\n")
    (path,) = files(tmp_path)
    assert in_child(lambda: file.write(b"child\n")) == 0
    assert path.exists()
    with open(path, "rb") as other, pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    file.close()
