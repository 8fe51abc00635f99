"""Directories of recordings, through the commands that show and report them."""

from __future__ import annotations

import contextlib
import gzip
import io
import tempfile
from dataclasses import dataclass
from pathlib import Path

from hypothesis import strategies as some

from ailoop_otel.cli import main
from tests.fuzz import otlp
from tests.fuzz.target import Target

HERE = "DIRECTORY"
COMMANDS = (
    ("traces", HERE), ("traces", HERE, "--json"), ("traces", HERE, "--trace", "ab", "--depth", "1", "--only", "a"),
    ("traces", HERE, "--errors", "--waterfall", "3"), ("traces", HERE, "--agent", "a", "--min-duration", "0.1"),
    ("explain", "--dir", HERE), ("explain", "--dir", HERE, "--json"), ("explain", "--dir", HERE, "a", "b"),
    ("top", HERE, "--once"), ("top", HERE, "--json"),
    ("report", HERE), ("replay", HERE, "--patience", "0", "--endpoint", "http://127.0.0.1:9"),
)  # fmt: skip


@dataclass(frozen=True)
class Example:
    """The content of one file, how it is compressed, and the command that reads it."""

    lines: list[bytes]
    compressed: bool
    cut: int
    command: tuple[str, ...]


def check(example: Example) -> None:
    """The command ends with 0, 1 or a refusal of one line, prints no control character and no traceback."""
    content = b"".join(example.lines)
    if example.compressed:
        content = gzip.compress(content)
    content = content[: len(content) - example.cut] if example.cut < len(content) else content
    with tempfile.TemporaryDirectory() as name:
        suffix = ".jsonl.gz" if example.compressed else ".jsonl"
        (Path(name) / f"traces-1{suffix}").write_bytes(content)
        output, errors = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
            code = main([name if word == HERE else word for word in example.command])
    assert code in (0, 1, 2), code
    said = errors.getvalue()
    assert "Traceback" not in said, said
    assert code != 2 or said.count("\n") == 1, said
    assert all(line.replace("\u00a0", " ").isprintable() for line in (output.getvalue() + said).splitlines())


TARGET = Target(
    "recorded-files",
    "traces, explain, top, report and replay",
    some.builds(
        Example,
        some.lists(otlp.lines(), min_size=1, max_size=6),
        some.booleans(),
        some.just(0) | some.integers(0, 300),
        some.sampled_from(COMMANDS),
    ),
    check,
    random=1_500,
)
