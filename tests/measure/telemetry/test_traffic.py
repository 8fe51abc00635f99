"""The traffic of recorded telemetry: times, sessions, sizes and texts, as they are sent again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ailoop_otel import names
from ailoop_otel.measure import Refusal
from ailoop_otel.measure.telemetry.exchanges import user_text
from ailoop_otel.measure.telemetry.reading import read
from ailoop_otel.measure.telemetry.traffic import Traffic, traffic_of
from tests.view.sample import BEGIN, Sample


@pytest.fixture
def sample(tmp_path: Path) -> Iterator[Sample]:
    """A server process that writes files."""
    writer = Sample(tmp_path / "telemetry")
    yield writer
    writer.close()


def traffic(sample: Sample, pace: float = 1.0, since: float = 0.0) -> Traffic:
    return traffic_of(read(sample.directory, since=round((BEGIN + since) * 1e9) if since else 0, texts=True), pace)


def shape(made: Traffic) -> list[tuple[float, float, list[float]]]:
    """Opened, closed and the times of the messages of each session."""
    return [
        (round(each["opened"], 6), round(each["closed"], 6), [round(one["at"], 6) for one in each["messages"]])
        for each in made.recorded["sessions"]
    ]


def whole_session(sample: Sample, name: str, at: float, seconds: float, *messages: float) -> None:
    start = sample.session(name, at)
    for each in messages:
        sample.exchange(name, each, 0.5)
    sample.session_end(start, name, at, seconds, "stopped", len(messages), 0)


def test_sessions_open_send_and_close_at_their_recorded_times(sample: Sample) -> None:
    """Times count from the first thing that happened; sessions that overlap stay apart, one without messages stays."""
    whole_session(sample, "two", 13, 8, 14, 17.5)
    whole_session(sample, "one", 10, 6, 11, 12, 15)
    whole_session(sample, "silent", 12, 1)
    made = traffic(sample)
    assert shape(made) == [(0, 6, [1, 2, 5]), (2, 3, []), (3, 11, [4, 7.5])]
    assert (made.sessions, made.seconds) == (3, 11)
    assert {one["size"] for each in made.recorded["sessions"] for one in each["messages"]} == {184}
    assert made.recorded["source"].endswith("telemetry, 2025-11-22T14:00:10+00:00 to 2025-11-22T14:00:21+00:00")


def test_twice_the_pace_is_half_the_time(sample: Sample) -> None:
    """Every time, and nothing else."""
    whole_session(sample, "one", 10, 6, 11, 12, 15)
    made = traffic(sample, pace=2.0)
    assert shape(made) == [(0, 3, [0.5, 1, 2.5])]
    assert made.recorded["pace"] == 2.0


def test_what_was_open_before_or_after_the_recording_is_open_at_its_ends(sample: Sample) -> None:
    """Without its begin a session opens first, without its end it closes last; one of neither is one message long."""
    sample.exchange("before", 10, 0.5)
    whole_session(sample, "whole", 11, 2, 12)
    sample.session("after", 14)
    sample.exchange("after", 15, 0.5)
    sample.exchange("", 16, 0.5)
    assert shape(traffic(sample)) == [(0, 6, [0]), (1, 3, [2]), (4, 6, [5]), (6, 6, [6])]


def test_since_cuts_what_came_before(sample: Sample) -> None:
    """A session that had begun by then is open at the begin, with the messages that are left."""
    whole_session(sample, "one", 10, 30, 11, 20, 25)
    whole_session(sample, "two", 18, 4, 19)
    assert shape(traffic(sample, since=15)) == [(0, 4, [1]), (0, 22, [2, 7])]
    with pytest.raises(Refusal, match="no message to an AI was recorded in .* since then: give an earlier --since"):
        traffic(sample, since=30)


def test_a_slash_command_is_one_again(sample: Sample) -> None:
    """It succeeded without a first chunk, which only commands do."""
    sample.exchange("one", 10, 0.01, first_chunk=None)
    sample.exchange("one", 11, 0.5, "ai_error", first_chunk=None)
    (session,) = traffic(sample).recorded["sessions"]
    assert [each["command"] for each in session["messages"]] == [True, False]


def told(*messages: tuple[str, str]) -> str:
    return json.dumps([{"role": role, "parts": [{"type": "text", "content": text}]} for role, text in messages])


def test_captured_text_is_sent_again(sample: Sample) -> None:
    """The newest text of the user in the first call to a model; telemetry is read without texts otherwise."""
    for at, text in ((10, "Name three colours."), (20, "")):
        root = sample.exchange("one", at, 4.0)
        if text:
            asked: dict[str, Any] = {names.GEN_AI_INPUT_MESSAGES: told(("user", "Hello."), ("user", text))}
            sample.span("chat", at + 0.1, 1.0, asked, parent=root)
            more = {names.GEN_AI_INPUT_MESSAGES: told(("user", "Tool result"))}
            sample.span("chat", at + 2.0, 1.0, more, parent=root)
    (session,) = traffic(sample).recorded["sessions"]
    assert [each["text"] for each in session["messages"]] == ["Name three colours.", ""]
    assert read(sample.directory).telemetry.texts is None


@pytest.mark.parametrize(
    ("messages", "text"),
    [
        (told(("user", "one"), ("assistant", "two")), "one"),
        (told(("user", "it was cut…")), ""),
        (told(("assistant", "two")), ""),
        ("[1, 2]", ""),
        ('[{"role": "user"}]', ""),
        ('[{"role": "user", "parts": [7]}]', ""),
        ("[" * 100_000, ""),
        ("", ""),
    ],
)
def test_a_text_that_cannot_be_known_is_none(messages: str, text: str) -> None:
    """What was cut, is of somebody else, or is no JSON of messages."""
    assert user_text(messages) == text


def test_more_than_a_week_and_no_message_are_refused(sample: Sample) -> None:
    """With the mend."""
    whole_session(sample, "one", 10, 6)
    with pytest.raises(Refusal, match="no message to an AI was recorded in .*: name another directory"):
        traffic(sample)
    sample.exchange("one", 10, 0.5)
    sample.exchange("two", 8 * 86_400, 0.5)
    with pytest.raises(Refusal, match="more than a week: give a later --since, or a faster --pace"):
        traffic(sample)
    assert traffic(sample, pace=2.0).seconds == pytest.approx(4 * 86_400, rel=0.001)
