"""Finding, reading and following files."""

from __future__ import annotations

import errno
import gzip
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as some

from ailoop_otel.export.rotation import Bounds, RotatingFile
from ailoop_otel.recorded import files, input_file
from ailoop_otel.recorded.files import Follower, ReadCounts, find, is_held, read
from ailoop_otel.recorded.otlp_json import LOGS
from tests.recorded.locked import lock

NAMES = some.lists(some.sampled_from(["one", "two", "three"]), max_size=6)


def _line(name: str) -> bytes:
    ids = '"traceId":"aa","spanId":"bb","startTimeUnixNano":"1","endTimeUnixNano":"2"'
    return f'{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{{ids},"name":"{name}"}}]}}]}}]}}\n'.encode()


def _names(paths: list[Path], counts: ReadCounts) -> list[str]:
    return [span.name for batch in read(paths, counts) for span in batch.spans]


def _span_names(follower: Follower) -> list[str]:
    return [span.name for batch in follower.poll() for span in batch.spans]


@pytest.fixture
def locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of another user."""
    path = tmp_path / "locked.jsonl"
    path.touch()
    lock(monkeypatch, path.__eq__)
    return path


def test_files_come_in_the_order_they_were_begun(tmp_path: Path) -> None:
    """By time and then by number, where 10 comes after 9."""
    ordered = [f"traces-20251122T140000-7-{number}.jsonl" for number in (1, 9, 10)]
    ordered.append("traces-20251122T150000-3-1.jsonl")
    for name in reversed([*ordered, "notes.txt", "1²3.jsonl"]):
        (tmp_path / name).touch()
    (tmp_path / "directory.jsonl").mkdir()
    assert [path.name for path in find(tmp_path)] == ["1²3.jsonl", *ordered]


def test_one_file_may_be_named(tmp_path: Path) -> None:
    """Instead of a directory, whatever its name is."""
    path = tmp_path / "saved.txt"
    path.write_bytes(_line("one"))
    assert find(path) == [path]
    assert find(tmp_path / "nowhere") == []


def test_a_half_written_last_line_is_ignored_and_reported(tmp_path: Path) -> None:
    """The server was killed while it wrote: everything before is there."""
    path = tmp_path / "traces.jsonl"
    path.write_bytes(_line("one") + _line("two")[:-20])
    counts = ReadCounts()
    assert _names([path], counts) == ["one"]
    assert (counts.half_written, counts.skipped) == (["traces.jsonl"], 0)


def test_a_last_line_without_its_break_counts(tmp_path: Path) -> None:
    """Only the line break is missing: the span is whole."""
    path = tmp_path / "traces.jsonl"
    path.write_bytes(_line("one").rstrip())
    counts = ReadCounts()
    assert _names([path], counts) == ["one"]
    assert counts.half_written == []


def test_a_corrupt_line_is_counted_and_costs_nothing_else(tmp_path: Path) -> None:
    """The first place is kept for the message."""
    path = tmp_path / "traces.jsonl"
    path.write_bytes(_line("one") + b"garbage\n\n" + _line("two")[:30] + _line("three") + b"more\n")
    counts = ReadCounts()
    assert _names([path], counts) == ["one", "three"]
    assert (counts.skipped, counts.skipped_at) == (3, "traces.jsonl, line 2")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)
@given(pieces=some.lists(some.binary(max_size=40) | NAMES, max_size=8))
@pytest.mark.fault(
    "files",
    theirs="Garbage between good lines",
    promise="Every good line is read, in order",
)
def test_no_garbage_loses_a_good_line(tmp_path: Path, pieces: list[bytes | list[str]]) -> None:
    """Whatever stands between them, every good line is read, and in order."""
    path = tmp_path / "traces.jsonl"
    good = [name for piece in pieces if isinstance(piece, list) for name in piece]
    written = [piece + b"\n" if isinstance(piece, bytes) else b"".join(map(_line, piece)) for piece in pieces]
    assume(not b"".join(written).startswith(b"\x1f\x8b"))  # that is a compressed file, and damaged
    path.write_bytes(b"".join(written))
    assert _names([path], ReadCounts()) == good


@pytest.mark.fault(
    "files",
    theirs="A line longer than any export",
    promise="Skipped as one; the next is read",
)
def test_a_line_without_end_does_not_fill_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is longer than any export is skipped as one line, and the next is read."""
    monkeypatch.setattr(input_file, "LONGEST_LINE", 400)
    path = tmp_path / "traces.jsonl"
    path.write_bytes(b"x" * 3000 + b"\n" + _line("one"))
    counts = ReadCounts()
    assert _names([path], counts) == ["one"]
    assert counts.skipped == 1


def test_a_file_that_goes_meanwhile_is_no_failure(tmp_path: Path) -> None:
    """The writer's rotation may take a file between finding and reading it."""
    counts = ReadCounts()
    gone = [tmp_path / "traces.jsonl"]
    assert _names(gone, counts) == []
    assert counts.unreadable == []
    assert files.size(gone) == 0


def test_a_file_that_cannot_be_opened_is_reported(tmp_path: Path, locked: Path) -> None:
    """And the others are read."""
    path = tmp_path / "traces.jsonl"
    path.write_bytes(_line("one"))
    counts = ReadCounts()
    assert _names([locked, path], counts) == ["one"]
    assert counts.unreadable == ["locked.jsonl (Permission denied)"]


def test_following_begins_at_the_end(tmp_path: Path) -> None:
    """Earlier lines are not returned, not even half of the line that is being written."""
    path = tmp_path / "traces.jsonl"
    path.write_bytes(_line("one") + _line("two")[:30])
    follower = Follower(tmp_path)
    assert _span_names(follower) == []
    with path.open("ab") as file:
        file.write(_line("two")[30:] + _line("three")[:-1])
    assert _span_names(follower) == ["two"]
    with path.open("ab") as file:
        file.write(b"\n")
    assert _span_names(follower) == ["three"]
    assert _span_names(follower) == []


def test_following_may_begin_at_the_start(tmp_path: Path) -> None:
    """What was there comes first."""
    (tmp_path / "traces.jsonl").write_bytes(_line("one"))
    assert _span_names(Follower(tmp_path, from_start=True)) == ["one"]


@pytest.mark.fault(
    "files",
    theirs="Files are rotated while they are followed",
    promise="New ones are read, none twice",
)
def test_following_goes_over_rotation_and_new_files(tmp_path: Path) -> None:
    """A new file is read from its start, a renamed one not twice, a removed one is forgotten."""
    first, second, renamed = (tmp_path / f"traces-{number}.jsonl" for number in (1, 2, 9))
    follower = Follower(tmp_path)
    first.write_bytes(_line("one"))
    assert _span_names(follower) == ["one"]
    first.rename(renamed)
    second.write_bytes(_line("two"))
    assert _span_names(follower) == ["two"]
    renamed.unlink()
    with second.open("ab") as file:
        file.write(_line("three"))
    assert _span_names(follower) == ["three"]


def test_following_starts_over_in_a_file_that_was_emptied(tmp_path: Path) -> None:
    """A file that is shorter than what was read of it is a new one."""
    path = tmp_path / "traces.jsonl"
    path.write_bytes(_line("one") + _line("two"))
    follower = Follower(tmp_path)
    path.write_bytes(_line("three"))
    assert _span_names(follower) == ["three"]


def test_following_looks_for_the_last_break_block_by_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long the line is that is being written."""
    monkeypatch.setattr(files, "_BLOCK", 7)
    path = tmp_path / "traces.jsonl"
    path.write_bytes(_line("one") + _line("two")[:-1])
    half = tmp_path / "half.jsonl"
    half.write_bytes(_line("four")[:-1])
    follower = Follower(tmp_path)
    for growing in (path, half):
        with growing.open("ab") as file:
            file.write(b"\n")
    assert _span_names(follower) == ["four", "two"]


def test_following_tells_what_it_cannot_open_once(tmp_path: Path, locked: Path) -> None:
    """A file that may not be read does not end the following."""
    follower = Follower(tmp_path)
    assert _span_names(follower) == _span_names(follower) == []
    assert follower.counts.unreadable == [f"{locked.name} (Permission denied)"]


def test_following_outlives_a_file_that_goes_under_its_hands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between listing a directory and opening its files, rotation may take one."""
    gone = tmp_path / "gone.jsonl"
    monkeypatch.setattr(files, "find", lambda place: [gone])
    follower = Follower(tmp_path)
    assert _span_names(follower) == []
    assert follower.counts.unreadable == []


def test_following_forgets_nothing_when_a_listing_fails(tmp_path: Path) -> None:
    """A directory that is missing for a moment is not read a second time."""
    directory, away = tmp_path / "telemetry", tmp_path / "away"
    directory.mkdir()
    (directory / "traces.jsonl").write_bytes(_line("one"))
    follower = Follower(directory)
    directory.rename(away)
    assert _span_names(follower) == []
    away.rename(directory)
    assert _span_names(follower) == []


def test_a_damaged_record_is_counted_at_its_place(tmp_path: Path) -> None:
    """A line may be JSON and one of its spans without sense: the others are read."""
    path = tmp_path / "traces.jsonl"
    path.write_bytes(_line("one").replace(b'"spans":[', b'"spans":[{},'))
    counts = ReadCounts()
    assert _names([path], counts) == ["one"]
    assert (counts.skipped, counts.skipped_at) == (1, "traces.jsonl, line 1")


def test_compressed_files_are_read_beside_the_others(tmp_path: Path) -> None:
    """In the order they were begun, whatever compressed them; what follows a cut is missing and said to be."""
    (tmp_path / "traces-2.jsonl").write_bytes(_line("two"))
    (tmp_path / "traces-1.jsonl.gz").write_bytes(gzip.compress(_line("one")))
    (tmp_path / "traces-3.jsonl.gz").write_bytes(gzip.compress(_line("three") + os.urandom(100_000))[:-5000])
    counts = ReadCounts()
    assert _names(find(tmp_path), counts) == ["one", "two", "three"]
    (unreadable,) = counts.unreadable
    assert unreadable == "traces-3.jsonl.gz (compressed, and cut off or damaged: read up to there)"


def test_following_reads_a_compressed_file_only_at_the_start(tmp_path: Path) -> None:
    """One that appears is an older one, which was read before it was compressed."""
    (tmp_path / "traces-1.jsonl.gz").write_bytes(gzip.compress(_line("one")))
    (tmp_path / "traces-2.jsonl").write_bytes(_line("two"))
    follower, late = Follower(tmp_path, from_start=True), Follower(tmp_path)
    assert _span_names(follower) == ["one", "two"]
    assert _span_names(late) == []
    (tmp_path / "traces-2.jsonl.gz").write_bytes(gzip.compress(_line("two")))
    assert _span_names(follower) == _span_names(late) == []


def test_following_skips_a_line_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is counted, and what is appended after it is read."""
    monkeypatch.setattr(input_file, "LONGEST_LINE", 400)
    path = tmp_path / "traces.jsonl"
    path.write_bytes(b"x" * 1000 + b"\n" + _line("one"))
    follower = Follower(tmp_path, from_start=True)
    assert _span_names(follower) == ["one"]
    assert follower.counts.skipped == 1


def test_names_of_files_are_made_fit_to_print(tmp_path: Path) -> None:
    """Wherever one is named: what was skipped, half-written or not readable."""
    path = tmp_path / "a\x1b[31m.jsonl"
    path.write_bytes(b"damaged\n{half")
    (tmp_path / "b\x1b.jsonl.gz").write_bytes(b"\x1f\x8b")
    counts = ReadCounts()
    assert _names(find(tmp_path), counts) == []
    told = (counts.skipped_at, *counts.half_written, *counts.unreadable)
    assert len(told) == 3
    assert all(text.isprintable() for text in told)


def test_a_name_that_is_too_long_is_not_there(tmp_path: Path) -> None:
    """The system refuses to look for it."""
    assert find(tmp_path / ("n" * 5000)) == []


def test_a_file_that_its_writer_has_open_is_held(tmp_path: Path) -> None:
    """By the writer's own lock; it is free as soon as the writer closes it, or dies."""
    writer = RotatingFile(LOGS.name, Bounds(str(tmp_path), 1e6, 1e6, 3600))
    writer.write(b"{}\n")
    (path,) = tmp_path.iterdir()
    assert is_held(str(path)) is True
    writer.close()
    assert is_held(str(path)) is False


@pytest.mark.parametrize(
    ("name", "held"),
    [
        ("traces-20251122T140000Z-7-1.jsonl", False),
        ("traces-20251122T140000Z-7-1.jsonl.gz", False),
        ("undelivered-traces-20251122T140000Z-7-1.jsonl", None),
        ("collected.jsonl", None),
    ],
)
def test_only_of_our_own_writer_s_files_it_is_known(tmp_path: Path, name: str, held: bool | None) -> None:
    """Another one's has no lock; one that is gone is held by nobody."""
    (tmp_path / name).touch()
    assert is_held(str(tmp_path / name)) is held
    (tmp_path / name).unlink()
    assert is_held(str(tmp_path / name)) is held


def test_without_locks_nobody_knows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a file system that has none."""

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    path = tmp_path / "traces-20251122T140000Z-7-1.jsonl"
    path.touch()
    monkeypatch.setattr("fcntl.flock", refuse)
    assert is_held(str(path)) is None
