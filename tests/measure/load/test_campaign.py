"""Against a server whose delays, errors, leak, limit and freeze are known, the figures are right."""

from __future__ import annotations

import itertools
import math
import os
import re
import signal
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from ailoop_otel.measure import Refusal
from ailoop_otel.measure.load import scenario
from ailoop_otel.measure.load.campaign import Interrupted, measure
from ailoop_otel.measure.load.progress import Progress, ProgressListener
from ailoop_otel.measure.load.scenario import Scenario
from ailoop_otel.measure.results import definitions
from ailoop_otel.measure.results.definitions import Definition
from ailoop_otel.measure.results.observations import Observation
from ailoop_otel.measure.results.run import Run
from ailoop_otel.measure.statistics.percentiles import summarise
from ailoop_otel.measure.verdict.judge import judge_by_files
from ailoop_otel.measure.verdict.validity import validity_problems
from ailoop_otel.measure.verdict.verdict import Verdict
from tests.measure.scripted_server import Scripted, free_port, scripted


def planned(name: str, *overrides: str, messages: tuple[str, ...] = ("hello",)) -> Scenario:
    """A scenario made short; sessions are opened at once."""
    return scenario.load(name, ["opening=200", *overrides], messages)


def rows(run: Run, definition: Definition) -> list[Observation]:
    """What is in the figures of a metric."""
    return list(run.of(definition))


def value(run: Run, definition: Definition) -> float:
    """A figure that a run has one of."""
    (row,) = rows(run, definition)
    return row.value


@pytest.fixture
def server(answering: Scripted) -> Scripted:
    """A server that behaves as each message asks."""
    return answering


def test_times_and_counts_are_what_the_server_was_set_to(server: Scripted) -> None:
    """First chunk, completion, gaps, rate and number of messages, with the warm-up left out."""
    bounds = ("arrivals=constant", "rate=40", "sessions=15", "turns=4", "warmup=0.5", "duration=2")
    run = measure(planned("mixed", *bounds, messages=("first=0.1 gap=0.02 chunks=4",)), server.url)
    first, whole = summarise(run, definitions.FIRST_CHUNK), summarise(run, definitions.COMPLETION)
    assert first.n == whole.n == pytest.approx(80, abs=2)
    # A busy machine delays many; of so many one is in time.
    assert 0.1 <= first.min < 0.2
    assert 0.16 <= whole.min < 0.3
    # Chunks that a busy client reads at once have no gap between them.
    assert 2 * first.n < run.histograms["chunk_gap"].get_total_count() <= 3 * first.n
    assert run.histograms["chunk_gap"].get_value_at_percentile(50) / 1e6 >= 0.018
    assert run.histograms["chunk_gap"].get_value_at_percentile(5) / 1e6 < 0.06
    assert value(run, definitions.RATE) == pytest.approx(40, rel=0.15)
    assert value(run, definitions.ERROR_RATE) == 0
    warmup = [row for row in run.observations if row.phase == "warmup" and row.metric == "first_chunk"]
    assert len(warmup) == pytest.approx(20, abs=6)
    assert len({row.trace_id for row in rows(run, definitions.FIRST_CHUNK)}) == first.n
    turns = [row.value for row in rows(run, definitions.SESSION_TURNS)]
    assert max(turns) == 4
    assert sum(turns) == first.n + len(warmup)
    assert all(row.at >= 0 for row in run.observations)
    assert run.context.duration == pytest.approx(2, abs=0.3)
    assert run.context.server["dialect"] == "stateless"
    assert any("memory was not read" in note for note in run.context.notes)


def test_stages_are_phases_of_one_run(server: Scripted, tmp_path: Path) -> None:
    """Rates and sessions change as the stages say, in each process, and each stage has its own figures."""
    stages = (
        "[[stages]]\nname = 'up'\nrate = 60\nsessions = 24\nseconds = 1\n"
        "[[stages]]\nname = 'top'\nseconds = 0.6\n"
        "[[stages]]\nname = 'slow'\nrate = 10\nseconds = 0\n[[stages]]\nsessions = 12\nseconds = 1\n"
    )
    (tmp_path / "stages.toml").write_text(f"{stages}[[messages]]\ntext = 'first=0.05'\n")
    bounds = ["rate=20", "sessions=12", "processes=2", "warmup=0", "opening=200"]
    run = measure(scenario.load(str(tmp_path / "stages.toml"), bounds), server.url)
    counts = Counter(row.phase for row in rows(run, definitions.COMPLETION))
    assert counts.keys() == {"up", "top", "stage 4"}
    assert counts["up"] == pytest.approx(40, abs=4)
    for stage, rate, process in (("top", 60, 0), ("top", 60, 1), ("stage 4", 10, 0), ("stage 4", 10, 1)):
        seen = [row for row in rows(run, definitions.COMPLETION) if (row.phase, row.process) == (stage, process)]
        gaps = [after - before for before, after in itertools.pairwise(sorted(row.at for row in seen))]
        assert gaps == pytest.approx([2 / rate] * len(gaps))
    assert run.context.load["sessions"] == 24
    assert run.context.load["connected"] == 24
    assert run.context.load["planned"] == sum(counts.values())
    assert any(note.startswith("up: ") and re.search(r"first chunk p50 [\d.]+ ms", note) for note in run.context.notes)
    assert run.context.duration == pytest.approx(2.6, abs=0.4)


def test_stages_of_a_closed_loop_are_sessions_that_think(server: Scripted, tmp_path: Path) -> None:
    """With a pause between 0.1 and 0.3 s, sessions pause differently, and send no more in all than was asked for."""
    stages = 'loop = "closed"\nthink = 0.1\nthink_max = 0.3\n[[stages]]\nsessions = 10\nseconds = 20\n'
    (tmp_path / "closed.toml").write_text(f"{stages}[[stages]]\nseconds = 20\n[[messages]]\ntext = 'hello'\n")
    bounds = ["sessions=4", "warmup=0", "opening=200", "most_messages=60"]
    run = measure(scenario.load(str(tmp_path / "closed.toml"), bounds), server.url)
    assert len(rows(run, definitions.COMPLETION)) == 60
    by_session: dict[int, list[float]] = {}
    for row in rows(run, definitions.COMPLETION):
        by_session.setdefault(row.session, []).append(row.at)
    gaps = [after - before for at in by_session.values() for before, after in zip(at, at[1:], strict=False)]
    assert min(gaps) >= 0.1
    assert max(gaps) - min(gaps) > 0.1


@pytest.mark.parametrize(
    ("text", "limit", "reason"),
    [
        ("end=ai_error", "errors=100", "errors per 1,000 messages over the last 1 s, and 100 are allowed"),
        ("first=0.5", "first_chunk_p95=0.2", "first chunk .* 0.2 s"),
        ("end=hang", "first_chunk_p95=0.2", "one message in twenty did not come in 0.2 s over the last 1 s"),
        ("first=0.1", "rate=30", "messages/s were answered over the last 1 s, and 30 is the least"),
    ],
)
def test_a_limit_ends_the_run_early_and_fails_it(server: Scripted, text: str, limit: str, reason: str) -> None:
    """Errors, slowness, silence and a rate that is missed: each ends the run long before its time, with the reason."""
    bounds = ["rate=20", "sessions=60", "warmup=0", "duration=120", "patience=3", f"abort_on.{limit}"]
    run = measure(planned("mixed", *bounds, "abort_on.seconds=1", messages=(text,)), server.url)
    assert re.search(reason, run.context.load["aborted"])
    assert run.context.duration < 60
    judgement = judge_by_files(run)
    assert judgement.verdict is Verdict.FAIL
    assert judgement.exit_code() == 1
    assert any("it was ended early (abort_on)" in note for note in judgement.notes)
    at_limit = replace(run, context=replace(run.context, load=run.context.load | {"busy": 0.99}))
    assert "ended early" not in "".join(
        note for verdict, note in validity_problems(at_limit) if verdict is Verdict.FAIL
    )


KINDS_OF_USERS = """
[[users]]
name = "many"
weight = 3
[[users.messages]]
text = "first=0.01"
name = "short"
[[users]]
name = "few"
think = 0.2
[[users.messages]]
text = "first=0.05"
"""


@pytest.mark.parametrize("loop", ["open", "closed"])
def test_kinds_of_users_have_figures_of_their_own(server: Scripted, tmp_path: Path, loop: str) -> None:
    """Each kind sends its own messages: its share of the sessions in a closed loop, of the messages in an open one."""
    (tmp_path / "users.toml").write_text(KINDS_OF_USERS)
    bounds = [f"loop={loop}", "rate=80", "sessions=8", "warmup=0", "opening=200", "most_messages=100", "processes=2"]
    run = measure(scenario.load(str(tmp_path / "users.toml"), bounds), server.url)
    seen = rows(run, definitions.FIRST_CHUNK)
    by_kind = {kind: [row for row in seen if row.label == kind] for kind in ("many", "few")}
    assert sum(map(len, by_kind.values())) == 100
    assert min(row.value for row in by_kind["few"]) >= 0.05
    assert min(row.value for row in by_kind["many"]) < 0.05
    if loop == "closed":
        sessions = {kind: {row.session for row in found} for kind, found in by_kind.items()}
        assert {kind: len(found) for kind, found in sessions.items()} == {"many": 6, "few": 2}
        assert not sessions["many"] & sessions["few"]
    else:
        assert len(by_kind["many"]) == pytest.approx(75, abs=15)


KINDS = ("ok", "ai_error", "cut", "no_answer", "server_error", "protocol_error", "drop", "hang")
OUTCOMES = dict(zip(KINDS, (*KINDS[:6], "disconnected", "client_timeout"), strict=True))


def test_each_kind_of_failure_is_counted_as_what_it_is(server: Scripted, tmp_path: Path) -> None:
    """Every message has the outcome that its own words asked for, and the rate of errors is theirs."""
    texts = "".join(f'[[messages]]\nname = "{kind}"\ntext = "end={kind}"\n' for kind in KINDS)
    (tmp_path / "errors.toml").write_text(texts)
    bounds = ["rate=60", "sessions=40", "duration=30", "most_messages=80", "warmup=0", "patience=0.6", "opening=200"]
    run = measure(scenario.load(str(tmp_path / "errors.toml"), bounds), server.url)
    seen = rows(run, definitions.COMPLETION)
    assert len(seen) == 80
    assert {row.label for row in seen} == set(KINDS)
    assert all(row.outcome == OUTCOMES[row.label] for row in seen)
    assert any("80 messages are the most" in note for note in run.context.notes)
    failed = sum(row.outcome != "ok" for row in seen)
    assert value(run, definitions.ERROR_RATE) == pytest.approx(1000 * failed / 80)
    by_kind = Counter(row.label for row in seen)
    missing = [row for row in seen if math.isnan(row.value)]
    assert len(missing) == by_kind["drop"] + by_kind["hang"]
    assert summarise(run, definitions.FIRST_CHUNK).failures == failed
    assert summarise(run, definitions.SEND_DELAY).failures == 0


class _At(ProgressListener):
    """Does something once so many messages are done, and stays away from then on."""

    def __init__(self, done: int, action: Any) -> None:
        self._done = done
        self._action = action

    def update(self, elapsed: float, now: Progress) -> None:
        if now.done >= self._done:
            self._done = 1_000_000
            self._action()


LEAK = 500_000


def _freezing() -> Run:
    load = planned("mixed", "arrivals=constant", "rate=50", "sessions=8", "turns=0", "warmup=0", "duration=5.5")
    with scripted(first=0.01, freeze_at=1.5, freeze_for=2.0, growth=20_000) as server:
        return measure(load, server.url, pid=server.pid)


def _leaking() -> Run:
    ramp = ("ramp.start=2", "ramp.step=6", "ramp.most=20", "ramp.seconds=0.7", "ramp.rate=0.5", "warmup=0")
    with scripted(leak=LEAK) as server:
        return measure(planned("memory_usage", *ramp), server.url, pid=server.pid)


def _limited() -> Run:
    ramp = ("ramp.start=4", "ramp.step=4", "ramp.seconds=0.5", "ramp.rate=10", "warmup=0")
    stable = ("stable.hold=0.6", "stable.first_chunk_p95=1")
    with scripted(first=0.01, limit=12) as server:
        return measure(planned("concurrent_sessions", *ramp, *stable), server.url)


def _rates() -> Run:
    levels = ("ramp.of=rate", "ramp.levels=[4, 20]", "ramp.seconds=1.5", "sessions=1", "warmup=0", "turns=3")
    with scripted(first=0.4) as server:
        return measure(planned("mixed", *levels, "stable.hold=1.5", "stable.first_chunk_p95=20"), server.url)


def _dying() -> Run:
    load = planned("mixed", "rate=40", "warmup=0", "duration=2", "patience=5")
    with scripted(first=0.1) as server:
        return measure(load, server.url, pid=server.pid, progress=_At(20, lambda: os.kill(server.pid, signal.SIGKILL)))


@pytest.fixture(scope="module")
def together() -> dict[str, Run]:
    """Runs against servers of their own, which have little to do: all at once."""
    with ThreadPoolExecutor() as pool:
        begun = {each.__name__: pool.submit(each) for each in (_freezing, _leaking, _limited, _rates, _dying)}
    return {name: future.result() for name, future in begun.items()}


def test_a_frozen_server_shows_in_p99_and_a_leak_in_the_growth(together: dict[str, Run]) -> None:
    """Messages that were due while it stood still waited for it; what each message leaves behind is growth."""
    run = together["_freezing"]
    first = summarise(run, definitions.FIRST_CHUNK)
    assert first.n == pytest.approx(275, abs=4)
    assert first.p99 > 1.8
    assert first.min < 0.3
    late = sum(row.value > 0.5 for row in rows(run, definitions.FIRST_CHUNK))
    assert late >= 60
    assert any("found all sessions busy" in note for note in run.context.notes)
    assert value(run, definitions.MEMORY_GROWTH) == pytest.approx(50 * 20_000, rel=0.5)
    assert any("it proves no leak" in note for note in run.context.notes)
    assert summarise(run, definitions.MEMORY).n >= 10
    assert summarise(run, definitions.CPU).n >= 9


def test_memory_per_session_is_what_each_session_keeps(together: dict[str, Run]) -> None:
    """A known leak of half a megabyte for each session is the slope."""
    run = together["_leaking"]
    assert value(run, definitions.MEMORY_PER_SESSION) == pytest.approx(LEAK, rel=0.25)
    connected = [row.value for row in rows(run, definitions.SESSIONS)]
    assert max(connected) == 20
    assert not rows(run, definitions.MEMORY_GROWTH)


def test_the_limit_of_sessions_is_found_and_held(together: dict[str, Run]) -> None:
    """A server that refuses the thirteenth session is stable with twelve."""
    run = together["_limited"]
    assert value(run, definitions.STABLE_SESSIONS) == 12
    assert any("Stable with 12 sessions, to the step of 4: at 16 sessions" in note for note in run.context.notes)
    phases = Counter(row.phase for row in rows(run, definitions.FIRST_CHUNK))
    assert set(phases) == {"ramp", "hold"}
    assert phases["hold"] == pytest.approx(72, abs=14)
    refused = [row for row in rows(run, definitions.SESSION_START) if row.failed]
    assert refused
    assert {row.outcome for row in refused} == {"refused"}


def test_a_load_curve_of_sessions_ends_with_the_level_that_was_missed(together: dict[str, Run]) -> None:
    """The levels are in the run with their figures: the first ones met the targets, the last did not."""
    levels = together["_limited"].context.levels
    assert [(each.load, each.state) for each in levels] == [
        (4, "met"),
        (8, "met"),
        (12, "met"),
        (16, "missed"),
        (12, "held"),
    ]
    assert "of 16 sessions could not be kept open" in levels[3].missed
    assert levels[1].offered == pytest.approx(80, rel=0.2)
    assert levels[1].first_chunk_p50 >= 0.01


def test_a_load_curve_of_rates_has_the_sessions_that_it_needs(together: dict[str, Run]) -> None:
    """One session cannot put on 20 messages/s that take 0.4 s each: more are opened, and the server missed nothing."""
    run = together["_rates"]
    levels = run.context.levels
    assert [each.load for each in levels] == [4, 20, 20]
    assert [each.state for each in levels] == ["met", "met", "held"]
    assert levels[1].sessions >= 8
    assert levels[1].delivered == pytest.approx(20, rel=0.5)
    assert value(run, definitions.STABLE_RATE) == 20
    assert any("20 messages/s are the most that were tried" in note for note in run.context.notes)
    assert judge_by_files(run).verdict is Verdict.NOT_JUDGED


def test_a_closed_loop_over_two_processes_is_one_run(server: Scripted) -> None:
    """Numbers of messages and sessions are unique, and there are exactly as many as were asked for."""
    bounds = ("sessions=6", "most_messages=90", "warmup=0", "duration=120", "processes=2")
    run = measure(planned("throughput", *bounds, messages=("first=0.02 chunks=3 gap=0.05",)), server.url)
    seen = rows(run, definitions.COMPLETION)
    assert len(seen) == 90
    assert len({row.exchange for row in seen}) == 90
    assert len({row.session for row in seen}) == 6
    assert {row.process for row in seen} == {0, 1}
    assert 90 < run.histograms["chunk_gap"].get_total_count() <= 180
    assert value(run, definitions.RATE) > 1
    assert run.context.duration < 100


def test_messages_that_wait_are_sent_though_each_session_sends_one(server: Scripted) -> None:
    """The last message is planned long before the first session has ended: another session is opened for each left."""
    bounds = ("arrivals=constant", "rate=100", "sessions=1", "turns=1", "most_messages=6", "warmup=0", "patience=8")
    run = measure(planned("mixed", *bounds, messages=("first=0.1",)), server.url)
    assert [row.outcome for row in rows(run, definitions.COMPLETION)] == ["ok"] * 6


def test_chunks_that_are_read_at_once_are_one_arrival(server: Scripted) -> None:
    """They came with one read, so nothing is known of a gap between them: none of a microsecond is made up."""
    load = planned("throughput", "sessions=4", "most_messages=40", "warmup=0", messages=("chunks=40",))
    run = measure(load, server.url)
    assert summarise(run, definitions.COMPLETION).n == 40
    gaps = run.histograms.get("chunk_gap")
    assert gaps is None or gaps.get_min_value() > 1


def test_the_moment_of_being_told_is_that_of_a_timeout(server: Scripted) -> None:
    """Where the AI is not supposed to answer, the server's error reports the timeout to the client."""
    bounds = ("think=0", "most_messages=9")
    run = measure(planned("ai_service_timeout", *bounds, messages=("first=0.3 end=ai_error",)), server.url)
    reported = summarise(run, definitions.TIMEOUT_TOLD)
    assert reported.n == 9
    assert 0.3 <= reported.min < 0.5
    assert run.context.settings["expects"] == ["ai_timeout"]
    assert judge_by_files(run).verdict is Verdict.NOT_JUDGED


def test_ctrl_c_keeps_what_was_measured(server: Scripted) -> None:
    """The run up to then comes with the exception, and no load process is left."""

    def interrupt() -> None:
        raise KeyboardInterrupt

    load = planned("mixed", "rate=40", "warmup=0", "duration=120")
    with pytest.raises(Interrupted) as end:
        measure(load, server.url, progress=_At(20, interrupt))
    assert len(rows(end.value.run, definitions.COMPLETION)) >= 20
    assert any("interrupted" in note for note in end.value.run.context.notes)
    assert 0 < end.value.run.context.duration < 110
    assert not [each for each in psutil.Process().children() if "worker" in " ".join(each.cmdline())]


def test_a_server_that_dies_is_told_by_kind(together: dict[str, Run]) -> None:
    """What was under way is disconnected, what came after it refused, and the run ends in time."""
    run = together["_dying"]
    kinds = Counter(row.outcome for row in rows(run, definitions.COMPLETION))
    assert set(kinds) == {"ok", "disconnected", "refused"}
    assert sum(kinds.values()) == pytest.approx(80, abs=25)
    assert any("process ended during the run" in note for note in run.context.notes)
    assert run.context.load["refusals"] > 0
    judgement = judge_by_files(run)
    assert (judgement.verdict, judgement.exit_code()) == (Verdict.FAIL, 1)
    assert judgement.notes[0].startswith("the server's process ended during the run, and a session was refused")
    assert not any("busy" in note for note in judgement.notes)


def test_what_cannot_be_measured_is_refused() -> None:
    """No server, no address, no process: one sentence each."""
    load = planned("mixed", "duration=1")
    with pytest.raises(Refusal, match="no session could be had at .*is the server running"):
        measure(load, f"ws://127.0.0.1:{free_port()}/ws")
    with pytest.raises(Refusal, match="looks like ws://127.0.0.1:8000/ws"):
        measure(load, "http://127.0.0.1/ws")
    with pytest.raises(Refusal, match="there is no process"):
        measure(load, "ws://127.0.0.1:1/ws", pid=2**22 + 1)
