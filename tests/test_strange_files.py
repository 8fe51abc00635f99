"""Files that are not what a command expects: each command says so in one line, at once and without a traceback."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from ailoop_otel.cli import USAGE, main
from ailoop_otel.measure.results import definitions, storage
from ailoop_otel.measure.results.observations import observed
from ailoop_otel.measure.results.run import Context, Run
from tests.view.sample import a_day

Command = Callable[[str], list[str]]
COMMANDS: dict[str, Command] = {
    "traces": lambda path: ["traces", path],
    "traces of one": lambda path: ["traces", path, "--trace", "ab"],
    "explain": lambda path: ["explain", "--dir", path],
    "explain one": lambda path: ["explain", "ab", "--dir", path],
    "report": lambda path: ["report", path],
    "legacy": lambda path: ["report", "--legacy", path],
    "client": lambda path: ["report", "day", "--client", path],
    "baseline": lambda path: ["report", "run", "--baseline", path],
    "targets": lambda path: ["report", "run", "--targets", path],
    "compare": lambda path: ["compare", "run", path],
    "compared": lambda path: ["compare", path, "run"],
    "replay": lambda path: ["replay", path, "--patience", "0"],
    "scenario": lambda path: ["measure", path],
}
CONTENTS = {
    "empty": b"",
    "noise": bytes(range(256)) * 50,
    "deep": b"[" * 100_000,
    "null": b"null",
    "zeros": b"\0" * 1000,
    "no text": b"\xff\xfe" * 1000,
    "false gzip": b"\x1f\x8bnothing",
    "endless quote": b'"' + b"x" * 300_000,
    "nothing known": b'{"a":1}\n[]\n',
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with telemetry and with a run."""
    place = tmp_path_factory.mktemp("made")
    a_day(place / "day")
    storage.save(Run(Context("mixed"), [observed(definitions.FIRST_CHUNK, 0.2, 0.0, exchange=1)]), place / "run")
    return place


@pytest.fixture(autouse=True)
def _place(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both in the current folder."""
    monkeypatch.chdir(tmp_path)
    for name in ("day", "run"):
        Path(name).symlink_to(made / name)


@pytest.fixture(params=COMMANDS)
def command(request: pytest.FixtureRequest) -> Command:
    """Each command that reads a file that somebody names."""
    return COMMANDS[request.param]


def _refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    code = main(words)
    output = capsys.readouterr()
    assert code == USAGE, output
    assert output.err.startswith("ailoop-otel: ")
    assert output.err.count("\n") == 1
    assert output.err.rstrip("\n").isprintable()
    return output.err


@pytest.mark.timeout(30)
@pytest.mark.parametrize("kind", ["pipe", "socket", "device", "directory"])
def test_what_is_no_regular_file_is_refused(command: Command, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A pipe nobody writes to, a device that never ends, a socket, an empty directory."""
    path = Path("special.toml")
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "directory":
        path.mkdir()
    else:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(path))
    message = _refused(command(str(path)), capsys)
    assert kind == "directory" or kind in message or "run" in message
    assert not Path(".ailoop-otel-replayed.sqlite").exists()


@pytest.mark.timeout(30)
@pytest.mark.parametrize("content", CONTENTS)
def test_a_file_of_something_else_is_refused(
    command: Command, content: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bytes of no format; a replay sends nothing of them, and empty targets are no targets."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    path = Path("strange.toml")
    path.write_bytes(CONTENTS[content])
    words = command(str(path))
    if words[0] == "replay" or (content == "empty" and "--targets" in words):
        assert main(words) in (0, 1)
        return
    _refused(words, capsys)


@pytest.mark.parametrize("name", ["a\x1b[31mb", "[/]", "x\ny", "\udcff", "n" * 300, "\u202ex"])
def test_names_of_files_are_text(command: Command, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Signs that colour, that break lines, that are markup or no text, or too many, of a file that is not there."""
    _refused(command(f"{name}.toml"), capsys)


@pytest.mark.parametrize("name", ["a\x1b[31mb", "[/]", "x\ny", "\udcff", "\u202ex"])
@pytest.mark.parametrize("words", [["traces"], ["report"], ["traces", "--json"], ["traces", "--trace", "0"]])
def test_names_of_directories_and_their_files_are_text(
    words: list[str], name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where they stand in titles, notes and warnings."""
    directory = Path(name)
    a_day(directory)
    (directory / f"{name.replace('/', '')}.jsonl").write_bytes(b"damaged\n{half")
    assert main([words[0], str(directory), *words[1:]]) in (0, USAGE)
    output = capsys.readouterr()
    assert "\x1b" not in output.out + output.err
    assert "\u202e" not in output.out + output.err
