"""The verb as users start it: what it prints, its exit codes, killed and interrupted in the middle."""

from __future__ import annotations

import gzip
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ailoop_otel import cli
from ailoop_otel.replay.command import replay
from tests.replay.exports import logs, names, recording, traces
from tests.replay.receiver import Receiver, Reply

START = "import sys; from ailoop_otel.cli import main; sys.exit(main())"
NAMES = [f"line {number}" for number in range(40)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A recording of two lines."""
    return recording(tmp_path / "telemetry", "one", "two")


def _replay(*words: str) -> int:
    return cli.main(["replay", *words])


def _start(receiver: Receiver, folder: Path, **more: str) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AILOOP_", "OTEL_"))}
    return subprocess.Popen(
        [sys.executable, "-c", START, "replay", str(folder), "--endpoint", receiver.url],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**environment, "PYTHONPATH": str(Path(cli.__file__).parents[1]), **more},
        start_new_session=True,
    )


def test_what_came_of_it_is_reported(receiver: Receiver, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """How much, where to, what was left out, and what to look for."""
    (folder / "logs.jsonl").write_bytes(logs("three"))
    assert _replay(str(folder), "--endpoint", receiver.url) == 0
    output = capsys.readouterr()
    assert output.err == ""
    first, second, third = output.out.splitlines()
    assert first.startswith(f"Sent 2 spans to {receiver.url}: 2 lines in ")
    assert second == "Skipped: 1 line of other signals (--signals sends them)."
    assert third.startswith("Look in Jaeger for service ailoop, from 2025-11-22 ")
    assert _replay(str(folder), "--endpoint", receiver.url) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"Sent nothing to {receiver.url}.",
        "Skipped: 2 lines that it has acknowledged before (--again sends all).",
        "Skipped: 1 line of other signals (--signals sends them).",
    ]
    assert names(receiver.taken) == ["one", "two"]


def test_the_environment_says_where_from_and_where_to(
    receiver: Receiver, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variables that the server has."""
    monkeypatch.setenv("AILOOP_OTEL_DIRECTORY", str(folder))
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
    assert _replay() == 0
    assert names(receiver.taken) == ["one", "two"]


def test_files_may_be_named_more_than_once(receiver: Receiver, folder: Path) -> None:
    """By their directory, by themselves and by another way to them."""
    (path,) = folder.glob("*.jsonl")
    around = folder / ".." / folder.name
    assert _replay(str(path), str(folder), str(around), "--endpoint", receiver.url, "--again") == 0
    assert names(receiver.taken) == ["one", "two"]


def test_signals_may_be_chosen(receiver: Receiver, folder: Path) -> None:
    """Each goes to its own path."""
    (folder / "logs.jsonl").write_bytes(logs("three"))
    assert _replay(str(folder), "--endpoint", receiver.url, "--signals", "logs, traces") == 0
    assert [asked.path for asked in receiver.asked] == ["/v1/logs", "/v1/traces", "/v1/traces"]


def test_what_the_collector_refuses_is_reported(
    receiver: Receiver, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """At once and at the end, with exit code 1; the rest goes on."""
    partial = b'{"partialSuccess":{"rejectedSpans":"1","errorMessage":"[old]"}}'
    receiver.replies = [Reply(400, b'{"message":"[bad] line"}'), Reply(200, partial)]
    assert _replay(str(folder), "--endpoint", receiver.url) == 1
    output = capsys.readouterr()
    assert "line 1: 1 span refused with 400 [bad] line\n" in output.err
    assert "line 2: 1 span rejected [old]\n" in output.err
    assert "Rejected by it: 1 span.\n" in output.out
    assert "Refused by it: 1 span; the next replay tries again.\n" in output.out


def test_many_refusals_do_not_fill_the_terminal(
    receiver: Receiver, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ten are printed, all are counted."""
    receiver.always = Reply(400)
    assert _replay(str(recording(tmp_path, *NAMES)), "--endpoint", receiver.url) == 1
    output = capsys.readouterr()
    assert (output.err.count("refused"), output.err.count("and more")) == (10, 1)
    assert "Refused by it: 40 spans" in output.out


def test_a_collector_that_is_not_there_is_reported(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With what to do next."""
    assert _replay(str(folder), "--endpoint", "http://127.0.0.1:1", "--patience", "0") == 1
    assert capsys.readouterr().out.splitlines() == [
        "Sent nothing to http://127.0.0.1:1.",
        "Stopped: http://127.0.0.1:1 does not answer (Connection refused).",
        "The same command goes on where this one ended.",
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["missing"], "no telemetry in missing: name a directory of .jsonl files, or the files"),
        (["--endpoint", "here"], "'here' is no address: write it like http://127.0.0.1:4318"),
        (["--signals", "spans"], "--signals 'spans' is not understood: take some of traces,metrics,logs"),
        (["--signals", ""], "is not understood"),
        (["--patience", "-1"], "--patience -1 is no number of seconds from 0"),
        (["--patience", "nan"], "--patience nan is no number of seconds from 0"),
        (["--state", "missing/state"], "name another file with --state"),
    ],
)
def test_what_makes_no_sense_is_one_line(
    words: list[str], message: str, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the error output, with exit code 2, and nothing is sent."""
    monkeypatch.chdir(folder)
    assert _replay(*([] if words == ["missing"] else [str(folder)]), *words) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("ailoop-otel: ")
    assert message in output.err
    assert output.err.count("\n") == 1


@pytest.fixture
def replaying(receiver: Receiver, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A replay of forty lines whose seventh is on its way, and its recording."""
    folder = recording(tmp_path / "telemetry", *NAMES)
    receiver.holds_from = 7
    process = _start(receiver, folder)
    receiver.wait(7)
    yield process, folder
    if process.poll() is None:
        process.kill()
    process.communicate(timeout=30)


def _resumed(receiver: Receiver, folder: Path) -> Counter[str]:
    """How often each line was taken, after a second replay."""
    receiver.release()
    assert _replay(str(folder), "--endpoint", receiver.url) == 0
    taken = Counter(names(receiver.taken))
    assert sorted(taken) == sorted(NAMES)
    return taken


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is POSIX")
@pytest.mark.fault(
    "files",
    theirs="`replay` is killed",
    promise="Resumed: nothing is missing, at most the line on its way is there twice",
)
def test_a_killed_replay_is_resumed(receiver: Receiver, replaying: tuple[subprocess.Popen[str], Path]) -> None:
    """Nothing is missing, and at most the one line that was on its way is there twice."""
    process, folder = replaying
    process.send_signal(signal.SIGKILL)
    process.wait(30)
    taken = _resumed(receiver, folder)
    assert taken.total() <= len(NAMES) + 1


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")
def test_ctrl_c_ends_in_order(receiver: Receiver, replaying: tuple[subprocess.Popen[str], Path]) -> None:
    """With a summary and the exit code that shells expect, without a traceback."""
    process, folder = replaying
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, "")
    assert "Stopped by Ctrl-C.\nThe same command goes on where this one ended.\n" in out
    assert _resumed(receiver, folder).total() <= len(NAMES) + 1


@pytest.mark.fault(
    "files",
    theirs="Two replays at the same time",
    promise="The second one is refused: they would send everything twice",
)
def test_a_second_replay_at_the_same_time_is_refused(
    receiver: Receiver, replaying: tuple[subprocess.Popen[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """They would send everything twice."""
    _, folder = replaying
    assert _replay(str(folder), "--endpoint", receiver.url) == 2
    assert "another replay has" in capsys.readouterr().err


def test_a_terminal_of_another_encoding_is_no_failure(receiver: Receiver, tmp_path: Path) -> None:
    """Whatever a service is called."""
    (tmp_path / "traces.jsonl").write_bytes(traces("one", service="плохо\x1b[2J"))
    process = _start(receiver, tmp_path, PYTHONIOENCODING="ascii")
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert "service ??????[2J, from" in out


def test_help_says_what_is_sent(capsys: pytest.CaptureFixture[str]) -> None:
    """And why it is traces unless more is asked for."""
    assert _replay("--help") == 0
    output = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "Jaeger takes traces only" in output
    assert "[default: traces]" in output


def test_progress_is_drawn_on_a_terminal(
    receiver: Receiver, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Bytes, spans and what it waits for, on the error output, gone when it is done."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    receiver.replies = [Reply(503)]
    assert _replay(str(folder), "--endpoint", receiver.url) == 0
    output = capsys.readouterr()
    assert "2 spans" in output.err
    assert "\x1b" not in output.out


@pytest.mark.fault(
    "collector",
    theirs="The collector is away while `replay --follow` runs",
    promise="All is sent, each line once",
)
def test_a_recording_is_followed_through_an_outage(
    receiver: Receiver, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is written meanwhile is sent too, each line once; Ctrl-C ends it with the summary."""
    receiver.replies = [Reply(503, b"", {"Retry-After": "3600"})] * 2

    def write() -> None:
        (folder / "traces-20251122T140000Z-7-2.jsonl").write_bytes(traces("three"))

    assert _followed(receiver, folder, [lambda: None, lambda: None, write, lambda: None]) == 130
    output = capsys.readouterr()
    assert names(receiver.taken) == ["one", "two", "three"]
    assert output.err.count("answers 503") == 1
    assert "Stopped by Ctrl-C." in output.out


def _followed(receiver: Receiver, folder: Path, steps: list[Callable[[], object]]) -> int:
    """Follow a recording, doing one step where the next look would be waited for; after the last there is Ctrl-C."""

    def sleep(seconds: float) -> None:
        if not steps:
            raise KeyboardInterrupt
        steps.pop(0)()

    return replay([str(folder)], receiver.url, "traces", "", 5, again=False, insecure=False, follow=True, sleep=sleep)


def test_a_file_that_stays_damaged_is_told_once_when_followed(
    receiver: Receiver, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """However often it is looked at."""
    (folder / "cut.jsonl.gz").write_bytes(gzip.compress(traces("three"))[:-8])
    assert _followed(receiver, folder, [lambda: None] * 4) == 130
    output = capsys.readouterr().out
    assert output.count("cut.jsonl.gz") == 1
    assert names(receiver.taken) == ["three", "one", "two"]


@pytest.mark.timeout(20)
def test_a_pipe_is_not_followed(receiver: Receiver, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It would be waited for as long as nobody writes to it."""
    os.mkfifo(tmp_path / "pipe")
    assert _replay(str(tmp_path / "pipe"), "--endpoint", receiver.url, "--follow") == 2
    assert "a pipe, and no regular file" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


def test_a_recording_is_sent_as_of_now(receiver: Receiver, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each time again, and without a note of what was acknowledged."""
    for _ in range(2):
        before = time.time_ns()
        assert _replay(str(folder), "--endpoint", receiver.url, "--shift", "now", "--pace", "1000x") == 0
        capsys.readouterr()
        request = receiver.asked[-1].parse
        (span,) = request["resourceSpans"][0]["scopeSpans"][0]["spans"]
        assert before < int(span["startTimeUnixNano"]) < time.time_ns()
    assert len(receiver.asked) == 4
    assert {path.suffix for path in folder.iterdir()} == {".jsonl"}


def test_a_shifted_recording_is_not_followed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One is old, the other grows."""
    assert _replay(str(folder), "--shift", "now", "--follow") == 2
    assert capsys.readouterr().err.startswith("ailoop-otel: --shift sends an old recording")
