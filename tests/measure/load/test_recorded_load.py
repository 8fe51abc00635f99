"""Recorded traffic is sent again as it was recorded: the plan is compared, not the clock."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

import pytest

from ailoop_otel.measure import Refusal
from ailoop_otel.measure.client.session import dialect_named
from ailoop_otel.measure.load import scenario
from ailoop_otel.measure.load.campaign import measure
from ailoop_otel.measure.load.recorded_load import text_of
from ailoop_otel.measure.load.recorded_sessions import RecordedMessage, RecordedSession, steps
from ailoop_otel.measure.results import definitions
from ailoop_otel.measure.results.run import Run
from ailoop_otel.measure.verdict.judge import judge_by_files
from ailoop_otel.measure.verdict.verdict import Verdict
from tests.measure.scripted_server import scripted


def session(opened: float, closed: float, *messages: float, text: str = "") -> dict[str, Any]:
    """A recorded session, as a table."""
    return {"opened": opened, "closed": closed, "messages": [{"at": at, "size": 300, "text": text} for at in messages]}


SESSIONS = [
    session(0.0, 1.5, 0.2, 0.4, 0.9),
    session(0.0, 0.1),
    session(0.3, 1.0, 0.5),
    session(0.7, 1.5, 0.7, 0.7, 0.8, text="first=0.3 end=ai_error"),
    session(1.2, 1.4),
]


def planned(*overrides: str, sessions: list[dict[str, Any]] = SESSIONS) -> scenario.Scenario:
    recorded = {"source": "somewhere, yesterday", "pace": 2.0, "sessions": sessions}
    return scenario.of_recorded(recorded, 4, 1.5, overrides)


def times(run: Run) -> list[list[float]]:
    """The planned times of the messages of each session, by their first."""
    found = defaultdict(list)
    for row in run.of(definitions.FIRST_CHUNK):
        found[row.session].append(row.at)
    return sorted(map(sorted, found.values()))


@pytest.mark.parametrize("processes", [1, 2])
def test_messages_are_planned_for_their_recorded_times(processes: int) -> None:
    """As many sessions and messages as were recorded, each message in its session, with the recorded gaps."""
    with scripted(first=0.01) as server:
        run = measure(planned(f"processes={processes}"), server.url)
    made = times(run)
    begin = made[0][0] - 0.2
    assert [[round(at - begin, 6) for at in each] for each in made] == [[0.2, 0.4, 0.9], [0.5], [0.7, 0.7, 0.8]]
    assert len(list(run.of(definitions.SESSION_DURATION))) == 5
    assert sorted(row.value for row in run.of(definitions.SESSION_TURNS)) == [0, 0, 1, 3, 3]
    assert [row.outcome for row in run.of(definitions.FIRST_CHUNK)].count("ai_error") == 3
    assert {row.label for row in run.of(definitions.FIRST_CHUNK)} == {"message"}
    note = next(each for each in run.context.notes if each.startswith("Recorded traffic of somewhere, yesterday, at 2"))
    assert "7 messages, 0 of them slash commands, of 5 sessions, 2 open at its begin. 3 messages have" in note
    assert run.context.settings["recorded"] == {
        "source": "somewhere, yesterday", "pace": 2.0, "sessions": 5, "messages": 7
    }  # fmt: skip
    assert not any("the most that it may send" in each for each in run.context.notes)


def test_a_message_waits_for_the_answer_before_it_in_its_session() -> None:
    """The wait counts in its latency, and the verdict says that the recorded times were not kept."""
    slow = [session(0.0, 1.0, *[0.01 * number for number in range(8)])]
    with scripted(first=0.3) as server:
        run = measure(planned(sessions=slow), server.url)
    waits = sorted(row.value for row in run.of(definitions.FIRST_CHUNK))
    assert len(waits) == 8
    assert waits[-1] > 7 * 0.3
    assert any("waited for the answer before in their session" in note for note in run.context.notes)
    judgement = judge_by_files(run)
    assert judgement.verdict is Verdict.INCONCLUSIVE
    assert "take a slower --pace" in judgement.notes[0]


def test_a_session_that_is_lost_is_opened_again_for_what_is_left() -> None:
    """Messages of a session whose connection dropped are sent in another one."""
    dropped = [session(0.0, 0.5, 0.1, text="end=drop"), session(0.0, 0.5, 0.1)]
    dropped[0]["messages"] += [{"at": 0.2, "text": "hello", "size": 0}]
    with scripted() as server:
        run = measure(planned(sessions=dropped), server.url)
    outcomes = sorted(row.outcome for row in run.of(definitions.COMPLETION))
    assert outcomes == ["disconnected", "ok", "ok"]


def test_steps_are_in_order_whatever_was_recorded() -> None:
    """A message before its session opened, or after it closed, opens it earlier, or closes it later."""
    late = RecordedSession(2.0, 3.0, (RecordedMessage(1.0), RecordedMessage(4.0)))
    assert [(each.at, each.what) for each in steps([late, RecordedSession(1.0, 1.0)])] == [
        (1.0, "open"), (1.0, "open"), (1.0, "message"), (1.0, "close"), (4.0, "message"), (4.0, "close")
    ]  # fmt: skip


@pytest.mark.parametrize("size", [0, 1, 200, 5000])
def test_a_message_without_text_has_the_recorded_length(size: int) -> None:
    """The frame is as long as the recorded one, down to the shortest frame that there can be."""
    dialect = dialect_named("stateless")
    text = text_of(RecordedMessage(size=size), dialect)
    frame = {"jsonrpc": "2.0", "id": 1, "method": dialect.message_method,
             "params": dialect.message_params("0" * 36, text)}  # fmt: skip
    assert text.strip()
    assert not text.startswith("/")
    assert abs(len(json.dumps(frame)) - max(size, len(json.dumps(frame)) - len(text) + 1)) < 20
    assert text_of(RecordedMessage(text="Hello."), dialect) == "Hello."
    assert text_of(RecordedMessage(size=300, command=True), dialect) == "/help"


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("warmup=5", "recorded traffic has no warm-up"),
        ("rate=5", "--set rate: recorded traffic has its own times and sessions"),
        ("ramp.start=2", "--set ramp: recorded traffic has its own times"),
        ("patience=x", "`patience` is a number from 0.1"),
    ],
)
def test_settings_that_are_not_for_it_are_refused(override: str, expected: str) -> None:
    """One sentence each."""
    with pytest.raises(Refusal, match=expected):
        planned(override)


def test_a_file_cannot_hold_recorded_traffic(tmp_path: Any) -> None:
    """It is read from telemetry."""
    (tmp_path / "one.toml").write_text('[recorded]\nsource = "x"\n[[messages]]\ntext = "hello"\n')
    with pytest.raises(Refusal, match="replayed by --from-telemetry DIR"):
        scenario.load(str(tmp_path / "one.toml"))
