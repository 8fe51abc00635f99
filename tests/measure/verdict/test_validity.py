"""A load that did not do what it was for does not pass."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from ailoop_otel import cli
from ailoop_otel.measure.results import definitions, storage
from ailoop_otel.measure.results.definitions import Definition
from ailoop_otel.measure.results.observations import Observation, observed
from ailoop_otel.measure.results.run import Context, Run
from ailoop_otel.measure.verdict import baseline
from ailoop_otel.measure.verdict.judge import judge_by_files
from ailoop_otel.measure.verdict.validity import INTERRUPTED
from ailoop_otel.measure.verdict.verdict import Verdict
from tests.measure import latencies

PASS, FAIL, INCONCLUSIVE, NOT_JUDGED = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.NOT_JUDGED
EXPECTS = {"expects": ["ai_timeout"]}
SEARCH, MEMORY = {"ramp": {"start": 5, "search": True}}, {"ramp": {"search": False}}


def exchanges(*outcomes: str) -> list[Observation]:
    return [
        observed(definitions.COMPLETION, 1.0, float(at), outcome=outcome, exchange=at)
        for at, outcome in enumerate(outcomes)
    ]


def run(rows: list[Observation], **context: Any) -> Run:
    return Run(Context("x", **context), rows)


def figure(definition: Definition, value: float, **more: Any) -> list[Observation]:
    return [observed(definition, value, 1.0, **more)]


def test_a_run_in_which_nothing_succeeded_fails_and_says_why() -> None:
    """The kind of most failures is named, and no note reads as if the run passed."""
    judgement = judge_by_files(run(exchanges("ai_error", "ai_error", "refused")))
    assert (judgement.verdict, judgement.exit_code()) == (FAIL, 1)
    assert judgement.notes[0].startswith("no message succeeded: all 3 failed, 2 of them as ai_error")
    assert not any("passes" in note for note in judgement.notes)


@pytest.mark.parametrize(
    ("rows", "context", "verdict"),
    [
        (exchanges("ok", "ai_error", "ai_error", "ai_error"), {}, NOT_JUDGED),
        (figure(definitions.COMMAND, 0.01), {}, NOT_JUDGED),
        ([*figure(definitions.COMMAND, 0.01), *exchanges("ai_error")], {}, NOT_JUDGED),
        ([*exchanges("ai_error"), *figure(definitions.TIMEOUT_TOLD, 1.0)], {}, FAIL),
        ([*exchanges("ai_error"), *figure(definitions.TIMEOUT_TOLD, 1.0)], {"settings": EXPECTS}, NOT_JUDGED),
        (exchanges("client_timeout"), {"settings": EXPECTS}, FAIL),
        ([*(row._replace(phase="warmup") for row in exchanges("ok")), *exchanges("refused")], {}, FAIL),
        (exchanges("ai_error"), {"source": "tests"}, NOT_JUDGED),
    ],
)
def test_one_message_that_came_to_what_it_was_meant_to_is_enough(
    rows: list[Observation], context: dict[str, Any], verdict: Verdict
) -> None:
    """An answer, a command's response, or an expected failure that was reported to the client."""
    assert judge_by_files(run(rows, **context)).verdict is verdict


@pytest.mark.parametrize(
    ("rows", "context", "expected"),
    [
        ([], {}, "no message was measured"),
        (exchanges("ok"), {"settings": EXPECTS}, "nothing timed out, so ai_timeout_told"),
        (exchanges("ok"), {"settings": SEARCH}, "not even 5 sessions were stable; begin with less"),
        ([*exchanges("ok"), *figure(definitions.STABLE_SESSIONS, 0)], {"settings": SEARCH}, "stable_sessions"),
        (
            exchanges("ok"),
            {"settings": MEMORY},
            "for memory_per_session, which was not measured: say which process",
        ),
        ([*exchanges("ok"), *figure(definitions.MEMORY, 1e6)], {"settings": MEMORY}, "raise ramp.most"),
        (exchanges("ok"), {"notes": (INTERRUPTED,)}, "it was interrupted"),
    ],
)
def test_what_a_run_lacks_of_its_scenario_is_named(
    rows: list[Observation], context: dict[str, Any], expected: str
) -> None:
    """Inconclusive, which fails with --strict."""
    judgement = judge_by_files(run(rows, **context))
    assert judgement.verdict is INCONCLUSIVE
    assert expected in judgement.notes[0]
    assert [judgement.exit_code(strict=strict) for strict in (False, True)] == [0, 1]
    assert not any("passes" in note for note in judgement.notes)


@pytest.mark.parametrize(
    ("definition", "settings"),
    [(definitions.STABLE_SESSIONS, SEARCH), (definitions.MEMORY_PER_SESSION, MEMORY)],
)
def test_a_run_that_has_what_it_is_for_has_no_problem(definition: Definition, settings: dict[str, Any]) -> None:
    """There is nothing to say."""
    judgement = judge_by_files(run([*exchanges("ok"), *figure(definition, 12.0)], settings=settings))
    assert (judgement.verdict, len(judgement.notes)) == (NOT_JUDGED, 1)


def test_figures_that_are_good_do_not_make_up_for_an_interruption(tmp_path: Path) -> None:
    """With a baseline too, and the notes of the comparison stay."""
    before = latencies.run(1)
    baseline.save([before], tmp_path / "base.json")
    now = latencies.run(5)
    assert judge_by_files(now, str(tmp_path / "base.json")).verdict is PASS
    cut = Run(dataclasses.replace(now.context, notes=(INTERRUPTED,)), now.observations)
    judgement = judge_by_files(cut, str(tmp_path / "base.json"))
    assert judgement.verdict is INCONCLUSIVE
    assert all(row.verdict is PASS for row in judgement.rows)


def cut(made: Run) -> Run:
    return Run(dataclasses.replace(made.context, notes=(INTERRUPTED,)), made.observations)


@pytest.mark.parametrize(
    ("before", "after", "code", "expected"),
    [
        (latencies.run(1), latencies.run(5), 0, "✓ PASS B is as good"),
        (latencies.run(1), run(exchanges("refused")), 1, "✗ FAIL B: no message succeeded: all 1 failed"),
        (run(exchanges("refused")), latencies.run(5), 0, "? INCONCLUSIVE There was nothing to compare."),
        (cut(latencies.run(1)), latencies.run(5), 0, "? INCONCLUSIVE A: it was interrupted"),
        (latencies.run(1), cut(latencies.run(5)), 0, "? INCONCLUSIVE B: it was interrupted"),
    ],
)
def test_runs_without_their_purpose_are_not_compared_in_silence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], before: Run, after: Run, code: int, expected: str
) -> None:
    """What is wrong with B is B's verdict; a broken A proves nothing about B."""
    for name, made in (("a", before), ("b", after)):
        storage.save(Run(dataclasses.replace(made.context, scenario="x"), made.observations), tmp_path / name)
    assert cli.main(["compare", str(tmp_path / "a"), str(tmp_path / "b")]) == code
    assert expected in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("load", "verdict", "expected"),
    [
        ({"sessions": 40, "connected": 40, "refusal": "once, at first"}, NOT_JUDGED, ""),
        ({"sessions": 40, "connected": 20, "refusal": "HTTP 503"}, FAIL, "20 of 40 sessions were held, and the server"),
        (
            {"sessions": 40, "connected": 40, "refusal": "HTTP 503", "refusals": 175, "planned": 52, "sent": 29},
            FAIL,
            "the server refused a session 175 times during the run: HTTP 503",
        ),
        (
            {"server_ended": True, "refusal": "x", "refusals": 1175, "planned": 52, "sent": 29},
            FAIL,
            "the server's process ended during the run, and a session was refused 1,175 times: look at its log",
        ),
        ({"server_ended": True}, FAIL, "the server's process ended during the run: look at its log"),
        ({"sessions": 40, "connected": 20}, INCONCLUSIVE, "only 20 of 40 sessions were held: open them faster"),
        (
            {"sessions": 40, "connected": 20, "refusal": "x", "own_limit": "no ports"},
            INCONCLUSIVE,
            "own limit, not the",
        ),
        ({"planned": 100, "sent": 95}, NOT_JUDGED, ""),
        ({"planned": 100, "sent": 94}, INCONCLUSIVE, "of 100 messages that were planned, 94 were sent while they were"),
        ({"busy": 0.97}, INCONCLUSIVE, "the load generator was at its limit: a process of it used 97 % of a core"),
    ],
)
def test_a_load_that_was_not_put_on_has_its_reason(load: dict[str, Any], verdict: Verdict, expected: str) -> None:
    """The server's is a failure; the load generator's says nothing about the server."""
    judgement = judge_by_files(run(exchanges("ok"), load=load))
    assert judgement.verdict is verdict
    assert expected in judgement.notes[0]
    assert not load.get("refusal") or not any("ask for more sessions" in note for note in judgement.notes)


def test_times_of_a_generator_at_its_limit_are_nobodys_failure() -> None:
    """Errors are: they do not come from it."""
    slow = latencies.run(1, median=5.0, failing=0.5)
    judgement = judge_by_files(Run(dataclasses.replace(slow.context, load={"busy": 0.97}), slow.observations),
                               targets="default")  # fmt: skip
    verdicts = {row.metric: row.verdict for row in judgement.rows}
    assert verdicts == {"first_chunk": INCONCLUSIVE, "error_rate": FAIL}
    assert judgement.rows[0].reason.endswith("but the load generator was at its limit")
