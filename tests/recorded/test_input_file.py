"""Opening what a user names: regular files, compressed or not."""

from __future__ import annotations

import gzip
import os
import socket
from contextlib import suppress
from pathlib import Path

import pytest

from ailoop_otel.recorded.input_file import open_input, open_regular, read_json, read_lines, read_text


@pytest.fixture(params=["directory", "pipe", "socket", "device"])
def special(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, str]:
    """What is no regular file, and what it is called."""
    path = tmp_path / "special"
    if request.param == "directory":
        path.mkdir()
    elif request.param == "pipe":
        os.mkfifo(path)
    elif request.param == "device":
        path.symlink_to("/dev/zero")
    else:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(path))
    return path, request.param


@pytest.mark.timeout(20)
def test_only_regular_files_are_opened(special: tuple[Path, str]) -> None:
    """A pipe without a writer would wait for ever, and a device may never end: the reason names what it is."""
    path, kind = special
    for open_it in (open_regular, read_text, read_json, lambda path: list(read_lines(path))):
        with pytest.raises(OSError, match=f"a {kind}, and no regular file"):
            open_it(path)


def test_what_gzip_compressed_is_read_whatever_its_name(tmp_path: Path) -> None:
    """The first two bytes tell, and an empty file or one of a byte is read as it is."""
    path = tmp_path / "file.jsonl"
    for content, expected in ((gzip.compress(b"one\ntwo\n"), b"one\ntwo\n"), (b"", b""), (b"\x1f", b"\x1f")):
        path.write_bytes(content)
        with open_input(path) as file:
            assert file.read() == expected


@pytest.mark.parametrize("damage", ["cut", "changed", "no end"])
def test_of_a_damaged_file_the_lines_before_the_damage_are_read(tmp_path: Path, damage: str) -> None:
    """And then one error says why there are no more."""
    lines = [os.urandom(200).hex().encode() for _ in range(2000)]
    content = bytearray(gzip.compress(b"\n".join(lines) + b"\n"))
    if damage == "cut":
        del content[len(content) // 2 :]
    elif damage == "no end":
        del content[-8:]
    else:
        content[len(content) // 2 : len(content) // 2 + 64] = b"\xff" * 64
    path = tmp_path / "file.jsonl.gz"
    path.write_bytes(content)
    with pytest.raises(OSError, match="compressed, and cut off or damaged"):
        list(read_lines(path))
    found = _lines_before_the_error(path)
    whole = len(lines) if damage == "no end" else 800
    assert found[:whole] == lines[:whole]


def _lines_before_the_error(path: Path) -> list[bytes]:
    found = []
    with suppress(OSError):
        for line in read_lines(path):
            found.append(line.content)  # noqa: PERF401 - what was read before the error is kept
    return found


def test_a_small_file_that_holds_a_huge_line_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand times its size of nothing: reading ends with the first line that is longer than any export."""
    monkeypatch.setattr("ailoop_otel.recorded.input_file.LONGEST_LINE", 10_000)
    path = tmp_path / "bomb.jsonl.gz"
    path.write_bytes(gzip.compress(b"{}\n" + b"\0" * 20_000_000))
    assert path.stat().st_size < 20_000
    lines = read_lines(path)
    assert next(lines).content == b"{}"
    with pytest.raises(OSError, match="compressed, and a line is too long"):
        next(lines)


def test_json_that_is_nested_too_deeply_is_no_json(tmp_path: Path) -> None:
    """A ValueError as for all that is no JSON."""
    path = tmp_path / "run.json"
    path.write_text("[" * 100_000)
    with pytest.raises(ValueError, match="nested too deeply"):
        read_json(path)
