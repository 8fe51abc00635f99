"""Remembering what was acknowledged."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from ailoop_otel.replay.acknowledged import Acknowledged
from ailoop_otel.replay.delivery import ReplayStopped
from ailoop_otel.settings import UsageError

HERE = "http://127.0.0.1:4318"


def test_what_was_added_is_held_by_the_next(tmp_path: Path) -> None:
    """And nothing else."""
    path = tmp_path / "state"
    with Acknowledged(path, HERE) as first:
        assert b"one" not in first
        first.add(b"one")
        first.add(b"one")
        assert b"one" in first
    with Acknowledged(path, HERE) as second:
        assert b"one" in second
        assert b"two" not in second
    assert [file.name for file in tmp_path.iterdir()] == ["state"]


def test_each_destination_has_its_own(tmp_path: Path) -> None:
    """What one collector has, another one lacks."""
    with Acknowledged(tmp_path / "state", HERE) as here:
        here.add(b"one")
    with Acknowledged(tmp_path / "state", "http://elsewhere:4318") as there:
        assert b"one" not in there


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is POSIX")
def test_a_killed_process_leaves_what_it_added(tmp_path: Path) -> None:
    """Each line is a transaction of its own, written before the next is sent."""
    code = (
        "import os, signal, sys; from pathlib import Path\n"
        "from ailoop_otel.replay.acknowledged import Acknowledged\n"
        "state = Acknowledged(Path(sys.argv[1]), sys.argv[2])\n"
        "for number in range(100): state.add(b'%d' % number)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "state"), HERE], timeout=60)
    assert done.returncode == -signal.SIGKILL
    with Acknowledged(tmp_path / "state", HERE) as state:
        assert all(b"%d" % number in state for number in range(100))
        assert b"100" not in state


def test_two_at_once_are_refused(tmp_path: Path) -> None:
    """They would send everything twice."""
    with (
        Acknowledged(tmp_path / "state", HERE),
        pytest.raises(UsageError, match="another replay has .*state open: wait"),
    ):
        Acknowledged(tmp_path / "state", HERE)
    Acknowledged(tmp_path / "state", HERE).__exit__(None, None, None)


def test_a_file_that_is_something_else_is_left_alone(tmp_path: Path) -> None:
    """A recording, for example, that was named by mistake."""
    path = tmp_path / "traces.jsonl"
    path.write_bytes(b'{"resourceSpans":[]}\n' * 100)
    with pytest.raises(UsageError, match="holds no record of what was sent: name another file with --state"):
        Acknowledged(path, HERE)
    assert path.read_bytes() == b'{"resourceSpans":[]}\n' * 100


def test_another_program_s_database_is_left_alone(tmp_path: Path) -> None:
    """However its tables are called."""
    path = tmp_path / "state"
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE acknowledged (line TEXT)")
    database.close()
    before = path.read_bytes()
    with pytest.raises(UsageError, match="another program's database"):
        Acknowledged(path, HERE)
    assert path.read_bytes() == before


def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    """Before anything is sent, with the remedy."""
    with pytest.raises(UsageError, match="cannot be noted in .*missing/state .*: name another file with --state"):
        Acknowledged(tmp_path / "missing" / "state", HERE)


@pytest.mark.fault(
    "disk",
    theirs="`replay` cannot note what it has sent",
    promise="It stops, since everything would be sent again",
)
def test_a_full_disk_stops_the_replay(tmp_path: Path) -> None:
    """What could not be noted would be sent again, and everything after it too."""
    with Acknowledged(tmp_path / "state", HERE) as state:
        state._database.execute("PRAGMA max_page_count = 3")
        with pytest.raises(ReplayStopped, match=r"cannot be noted in .*state \(database or disk is full\)"):
            _fill(state)


def _fill(state: Acknowledged) -> None:
    for number in range(10_000):
        state.add(b"%d" % number)
