"""What `ailoop-otel traces --follow` prints while files grow."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timezone
from pathlib import Path

import pytest

from ailoop_otel.view.follow import POLL_SECONDS, follow
from ailoop_otel.view.options import Filters, TracesOptions
from tests.view.conftest import console_of, written_on
from tests.view.sample import BEGIN, Sample

Step = Callable[[], object]


def _followed(options: TracesOptions, steps: list[Step], width: int = 120) -> list[str]:
    """Follow, doing one step where a poll would wait; after the last the user presses Ctrl-C."""
    console = console_of(width)
    waited: list[float] = []

    def wait(seconds: float) -> None:
        waited.append(seconds)
        if not steps:
            raise KeyboardInterrupt
        steps.pop(0)()

    with pytest.raises(KeyboardInterrupt):
        follow(options, console, zone=timezone.utc, now=lambda: BEGIN * 10**9, wait=wait)
    assert set(waited) == {POLL_SECONDS}
    assert POLL_SECONDS >= 0.25
    return written_on(console).splitlines()


def test_each_thing_is_a_line_when_it_comes(sample: Sample) -> None:
    """Sessions, exchanges and timeouts, over rotation and a second process, and nothing of before."""
    directory = sample.directory
    start = sample.session("f47ac10b-58cc", 0)
    others: list[Sample] = []

    def second_process() -> None:
        held.enter_context(sample.held())
        others.append(Sample(directory, process=202))
        others[0].session("9b2e7c44-58cc", 20, resumed=start)

    steps: list[Step] = [
        lambda: sample.exchange("f47ac10b-58cc", 1, 1.24, session=start),
        sample.rotate,
        lambda: sample.exchange("f47ac10b-58cc", 5, 0.62, "ai_error", first_chunk=None, error_type="500"),
        second_process,
        lambda: sample.exchange("f47ac10b-58cc", 6, 31, timeout="first_chunk", first_chunk=None, finished=False),
        lambda: sample.session_end(start, "f47ac10b-58cc", 0, 63, "disconnected", 3, 1),
        lambda: sample.server(70, stop=True),
    ]
    with ExitStack() as held:
        lines = _followed(TracesOptions(directory=str(directory)), steps)
    others[0].close()
    assert lines[0] == f"following 1 file in {directory}; Ctrl-C ends"
    assert [line[:-8] if " · " in line and "ended" not in line else line for line in lines[1:]] == [
        "14:00:02  f47ac10b  ✓ ok             1.24 s · first 300 ms · 12 chunks · gap 80 ms · ",
        "14:00:05  f47ac10b  ✗ ai_error · 500  620 ms · ",
        "14:00:20  9b2e7c44  ● session resumed",
        "14:00:36  f47ac10b  ◷ AI silent for 30 s (first_chunk) · noticed +2.1 ms · waits on model · still open · ",
        "14:01:03  f47ac10b  ○ session ended · disconnected · 3 turns · 1 error · 1m 03s",
        "14:01:10  –         ● server stopped",
    ]


def test_what_came_since_is_reported_first(sample: Sample) -> None:
    """With a time, following begins in the past; with a filter, it leaves out the rest."""
    sample.exchange("s-1", 1, 1)
    sample.exchange("s-2", 9, 1, "cut")
    sample.exchange("s-1", 9, 1)
    filters = Filters(since=(BEGIN + 5) * 10**9, session="s-1")
    lines = _followed(TracesOptions(directory=str(sample.directory), filters=filters), [], width=80)
    assert [line[:29] for line in lines[1:]] == ["14:00:10  s-1       ✓ ok     "]


def test_what_a_killed_server_took_with_it_is_told_once(sample: Sample) -> None:
    """As soon as the next one has begun: the exchange that hangs, and the session."""
    others: list[Sample] = []

    def next_server() -> None:
        others.append(Sample(sample.directory, process=202))
        others[0].session("9b2e7c44-58cc", 70)

    steps: list[Step] = [
        lambda: sample.session("f47ac10b-58cc", 0),
        lambda: sample.exchange("f47ac10b-58cc", 6, 31, timeout="stall", first_chunk=None, finished=False),
        next_server,
        lambda: None,
    ]
    lines = _followed(TracesOptions(directory=str(sample.directory)), steps)
    others[0].close()
    assert [line[:45].rstrip(" ·") for line in lines[3:]] == [
        "14:01:10  9b2e7c44  ● session started",
        "14:00:36  f47ac10b  ⊘ lost           30.0 s",
        "14:00:36  f47ac10b  ○ session ended with the",
    ]


def test_a_directory_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    """Started before the server, it prints what to do, and then what is written."""
    directory = tmp_path / "telemetry"
    started: list[Sample] = []

    def start() -> None:
        started.append(Sample(directory))
        started[0].server(0)

    lines = _followed(TracesOptions(directory=str(directory)), [start])
    started[0].close()
    assert "AILOOP_OTEL_ENABLED=true" in lines[0]
    assert lines[0].endswith("waiting for it, Ctrl-C ends")
    assert lines[1:] == ["14:00:00  –         ● server started"]


def test_garbage_is_reported_once(sample: Sample) -> None:
    """And costs nothing else."""

    def garbage() -> None:
        with sample.path.open("ab") as file:
            file.write(b"garbage\n")

    lines = _followed(
        TracesOptions(directory=str(sample.directory)),
        [garbage, lambda: sample.exchange("s-1", 1, 1, first_chunk=None), lambda: None],
    )
    assert [line.partition(" skipped")[0] for line in lines[1:2]] == ["1 line could not be read and was"]
    assert len(lines) == 3


def test_scripts_follow_in_json(sample: Sample) -> None:
    """One object a line, at once, and no word besides."""
    steps: list[Step] = [
        lambda: sample.session("s-1", 0),
        lambda: sample.exchange("s-1", 6, 31, timeout="stall", first_chunk=None, finished=False),
        lambda: sample.exchange("s-1", 40, 1),
        lambda: sample.server(70),
    ]
    lines = _followed(TracesOptions(directory=str(sample.directory), json=True), steps)
    documents = [json.loads(line) for line in lines]
    assert [document["kind"] for document in documents] == ["session", "timeout", "exchange", "server"]
    assert documents[1]["ending"] == "open"
    assert documents[3] == {
        "kind": "server",
        "event": "ailoop.server.start",
        "time": "2025-11-22T14:01:10.000000+00:00",
    }
