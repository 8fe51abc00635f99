"""A run held against a baseline and targets."""

from __future__ import annotations

import dataclasses
import math
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from ailoop_otel.measure import Refusal
from ailoop_otel.measure.results import definitions, storage
from ailoop_otel.measure.results.definitions import Definition
from ailoop_otel.measure.results.observations import Observation, observed
from ailoop_otel.measure.results.run import Run
from ailoop_otel.measure.verdict import baseline
from ailoop_otel.measure.verdict.judge import judge, judge_by_files, judge_pairs
from ailoop_otel.measure.verdict.targets import parse
from ailoop_otel.measure.verdict.verdict import Judged, Judgement, Verdict
from tests.measure.latencies import latencies, run

PASS, FAIL, INCONCLUSIVE = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE


def row(judgement: Judgement, metric: str, figure: str = "value", against: str = "baseline") -> Judged:
    (found,) = (
        each for each in judgement.rows if (each.metric, each.figure, each.against) == (metric, figure, against)
    )
    return found


def more(base: Run, rows: list[Observation], **context: Any) -> Run:
    """A run with more observations, and other facts about it."""
    return Run(dataclasses.replace(base.context, **context), [*base.observations, *rows])


def memory(growth: float, n: int = 60, level: float = 5e7) -> list[Observation]:
    """A server whose memory grows by so many bytes a second, over ten seconds."""
    at = [10 * number / n for number in range(n)]
    wobble = latencies(3, n, median=1e5, sigma=0.5, memory=0.0)
    samples = [
        observed(definitions.MEMORY, level + growth * when + more, when) for when, more in zip(at, wobble, strict=True)
    ]
    return [*samples, observed(definitions.MEMORY_GROWTH, growth, 10.0)]


def test_the_same_never_fails_and_a_fifth_slower_never_passes() -> None:
    """20 times each, on latencies as they are: at least 16 times the verdict that is right, else a reason."""
    same: Counter[Verdict] = Counter()
    slower: Counter[Verdict] = Counter()
    for number in range(20):
        before = run(3 * number)
        for counter, now in ((same, run(3 * number + 1)), (slower, run(3 * number + 2, slower=1.2))):
            judgement = judge(now, before)
            counter[judgement.verdict] += 1
            if judgement.verdict is INCONCLUSIVE:
                assert any("may be within or beyond" in each.reason for each in judgement.rows)
    assert (same[FAIL], slower[PASS]) == (0, 0)
    assert same[PASS] >= 16
    assert slower[FAIL] >= 16


@pytest.mark.parametrize("shape", [{"sigma": 0.3}, {"memory": 0.95}, {"outliers": 0.08}, {"n": 120}])
def test_where_the_noise_is_too_large_nobody_is_blamed(shape: dict[str, Any]) -> None:
    """It may be inconclusive as often as it likes, but never wrong."""
    for number in range(6):
        before = run(3 * number, **shape)
        assert judge(run(3 * number + 1, **shape), before).verdict is not FAIL
        assert judge(run(3 * number + 2, slower=1.2, **shape), before).verdict is not PASS


def test_a_run_is_as_uncertain_against_itself() -> None:
    """The draws of the two are independent, though the data are the same."""
    found = row(judge(run(1), run(1)), "first_chunk", "p50")
    assert found.change == 0
    assert found.change_low is not None
    assert found.change_high is not None
    assert found.change_low < -0.005 < 0.005 < found.change_high


def test_one_figure_of_many_must_be_worse_more_surely() -> None:
    """Just beyond what is allowed is not enough, where six figures had the chance."""
    changes = [judge(run(1, slower=1.17 + step / 500), run(2)) for step in range(15)]
    reasons = [row(each, "first_chunk", "p50").reason for each in changes]
    assert any(re.search("allowed, but not surely enough for one of [2-6] figures$", reason) for reason in reasons)


def test_the_search_for_a_limit_is_not_judged() -> None:
    """Where there was a hold, the ramp before it, which ends unstable, is left out."""
    before = run(2)
    ramp = [each._replace(value=9.0, phase="ramp") for each in run(3).observations if each.metric == "first_chunk"]
    assert judge(more(run(1), ramp), before).verdict is PASS


def test_a_gain_is_no_failure() -> None:
    """A fifth faster passes, however surely it changed."""
    judgement = judge(run(1, slower=0.8), run(2))
    assert judgement.verdict is PASS
    found = row(judgement, "first_chunk", "p50")
    assert found.change == pytest.approx(-0.2, abs=0.03)
    assert found.change_low is not None
    assert found.change_high is not None
    assert found.change_low < found.change < found.change_high < 0


@pytest.mark.parametrize("source", ["client", "telemetry", "tests"])
@pytest.mark.parametrize("failing", [0.9, 1.0])
@pytest.mark.parametrize("figure", ["mean", "p50", "p95", "max"])
def test_no_target_of_a_time_passes_where_nearly_all_failed(figure: str, failing: float, source: str) -> None:
    """The rest may be as fast as it likes; a failure counts as infinitely slow."""
    found = more(run(1, n=40, failing=failing), [], source=source)
    judgement = judge([found], None, parse({"first_chunk": {figure: "1000 s"}}, "throughput"))
    assert (judgement.verdict, judgement.exit_code()) == (Verdict.FAIL, 1)
    assert math.isinf(row(judgement, "first_chunk", figure, "target").value)


def test_a_failure_is_told_with_its_interval() -> None:
    """Value, baseline, change and what was allowed."""
    found = row(judge(run(1, slower=1.2), run(2)), "first_chunk", "p50")
    assert (found.verdict, found.allowed, found.n, found.reference_n) == (FAIL, 0.1, 400, 400)
    assert found.reason.endswith("beyond the 10 % allowed")
    assert found.reason.startswith("+")
    assert found.low < found.value < found.high


def test_the_tolerance_is_the_users() -> None:
    """For all metrics, or for one in the targets."""
    slow, before = run(1, slower=1.2), run(2)
    assert judge(slow, before, tolerance=0.5).verdict is PASS
    tables = {name: {"tolerance": "50 %"} for name in ("first_chunk", "completion")}
    assert judge(slow, before, parse(tables, "throughput")).verdict is PASS


def test_nothing_judged_is_no_pass_and_says_how_to_be_judged() -> None:
    """No target and no baseline: neither good nor bad, and no failure in CI."""
    judgement = judge(run(1))
    assert (judgement.verdict, judgement.rows) == (Verdict.NOT_JUDGED, ())
    assert "--targets default" in judgement.notes[0]
    assert "--baseline RUN" in judgement.notes[0]
    assert judgement.exit_code(strict=True) == 0


def test_a_baseline_that_is_not_there_yet_is_named(tmp_path: Path) -> None:
    """The run is not judged, and a note names the path."""
    judgement = judge_by_files(run(1), baseline=str(tmp_path / "baseline.json"))
    assert judgement.verdict is Verdict.NOT_JUDGED
    assert judgement.notes[0] == "there is no baseline yet to compare with"
    assert f"{tmp_path / 'baseline.json'} is not there yet" in judgement.notes[-1]
    assert not judgement.notes[-1].startswith(str(tmp_path))


def test_another_machine_is_said_and_blamed_for_times_only() -> None:
    """Times and rates prove nothing there; errors do."""
    here, there = {"processor": "a", "memory": 8e9}, {"processor": "b", "memory": 8.01e9}
    before = more(run(2), [], machine=here)
    same = judge(more(run(1), [], machine=there), before)
    assert same.verdict is INCONCLUSIVE
    assert "the two runs come from different machines (processor a and b)" in same.notes[0]
    assert row(same, "first_chunk", "p50").reason.endswith("the baseline is from another machine")
    assert row(same, "error_rate").verdict is PASS
    assert judge(more(run(1, failing=0.2), [], machine=there), before).verdict is FAIL
    assert judge(more(run(1), [], machine={**here, "kernel": "6.1"}), before).verdict is PASS


def test_runs_of_different_scenarios_are_not_compared() -> None:
    """One error that names both."""
    with pytest.raises(Refusal, match="'throughput' and 'soak'"):
        judge(more(run(1), [], scenario="soak"), run(2))


def test_different_units_are_not_compared() -> None:
    """Milliseconds of an earlier version, say."""
    before = run(2)
    rows = [each._replace(unit="ms") if each.metric == "first_chunk" else each for each in before.observations]
    with pytest.raises(Refusal, match="first_chunk is in ms and in s: measure both runs"):
        judge(run(1), Run(before.context, rows))


def test_settings_that_differ_are_noted() -> None:
    """With both values."""
    judgement = judge(more(run(1), [], settings={"rate": 20}), more(run(2), [], settings={"rate": 10}))
    assert "the settings differ: rate 10 and 20" in judgement.notes


def test_a_few_observations_are_judged_by_the_shift_of_all() -> None:
    """60 have no bound for a p95: it passes with the shift of all values if the p95 itself is within, too."""
    judgement = judge(run(1, n=60, outliers=0.0), run(2, n=60, outliers=0.0))
    found = row(judgement, "first_chunk", "p95")
    assert (found.verdict, found.reason[:25]) == (PASS, "all values are shifted by")
    slow = run(1, n=60, outliers=0.0)
    tail = [each._replace(value=0.4) if each.metric == "first_chunk" and each.exchange % 15 == 0 else each
            for each in slow.observations]  # fmt: skip
    found = row(judge(Run(slow.context, tail), run(2, n=60, outliers=0.0)), "first_chunk", "p95")
    assert found.verdict is INCONCLUSIVE
    assert "but not the percentile itself: 60 observations cannot tell; about" in found.reason


def test_a_fraction_of_a_millisecond_is_no_change() -> None:
    """2 ms instead of 1.5 ms is a third more, and nothing."""
    judgement = judge(run(1, median=0.002), run(2, median=0.0015))
    found = row(judgement, "first_chunk", "p50")
    assert found.verdict is PASS
    assert found.change == pytest.approx(0.33, abs=0.05)
    assert found.reason.endswith("within the 1 ms allowed")


def test_a_late_load_generator_is_not_the_server() -> None:
    """30 ms more, all of them the generator's."""
    slow = [
        each._replace(value=each.value + 0.03) if each.metric in ("first_chunk", "completion", "send_delay") else each
        for each in run(1).observations
    ]
    before = run(2)
    judgement = judge(Run(before.context, slow), before)
    found = row(judgement, "first_chunk", "p50")
    assert (found.verdict, judgement.verdict) == (INCONCLUSIVE, INCONCLUSIVE)
    assert found.reason.endswith("but the load generator itself was 30.0 ms later")


def test_the_wait_for_a_session_of_a_load_process_is_not_the_servers() -> None:
    """Sessions are not shared by load processes; within one, a wait is the server's time."""
    waiting = [
        each._replace(value=each.value + 0.3) if each.metric in ("first_chunk", "completion", "send_delay") else each
        for each in run(1).observations
    ]
    targets = parse({"first_chunk": {"p95": "200 ms"}}, "throughput")
    for processes, verdict in ((1, FAIL), (2, INCONCLUSIVE)):
        judgement = judge(more(Run(run(1).context, waiting), [], settings={"processes": processes}), targets=targets)
        assert judgement.verdict is verdict
    assert "was the wait for a session of the message's own load process" in judgement.rows[0].reason
    slow = judge(more(run(1, slower=4.0), [], settings={"processes": 2}), targets=targets)
    assert slow.verdict is FAIL


def test_errors_are_compared_by_their_number() -> None:
    """As few as before pass, many more fail, a few more are neither."""
    before = run(2, n=1000, failing=0.02)
    verdicts = [
        row(judge(run(1, n=1000, failing=share), before), "error_rate").verdict for share in (0.02, 0.035, 0.12)
    ]
    assert verdicts == [PASS, INCONCLUSIVE, FAIL]
    none = row(judge(run(1), run(2)), "error_rate")
    assert none.verdict is PASS
    assert none.change is None
    assert "no increase is seen, and 10 per 1,000 is allowed" in none.reason


def test_failures_that_reach_a_percentile_make_it_infinite() -> None:
    """A tenth fails that did not: p95 is worse beyond measure; where it was so before, only the error rate decides."""
    failing = judge(run(1, failing=0.1), run(2))
    found = row(failing, "first_chunk", "p95")
    assert (found.value, found.change, found.verdict) == (math.inf, math.inf, FAIL)
    always = judge(run(1, failing=0.1), run(2, failing=0.1))
    assert "p95 of first_chunk is not compared: in the baseline, failures reach it already" in always.notes


def test_a_leak_fails() -> None:
    """500 kB a second is no page more or less; a wobble is."""
    before = more(run(2), memory(0.0))
    assert row(judge(more(run(1), memory(500e3)), before), "memory_growth").verdict is FAIL
    assert row(judge(more(run(1), memory(1e3)), before), "memory_growth").verdict is PASS
    loaded = judge(more(run(1), memory(0.0, level=5.6e7)), before)
    assert row(loaded, "server_memory", "mean").verdict is PASS
    heavy = judge(more(run(1), memory(0.0, level=6.5e7)), before)
    assert row(heavy, "server_memory", "mean").verdict is FAIL


@pytest.mark.parametrize(("ramp", "judged"), [({"step": 8, "search": False}, True), (None, False)])
def test_memory_per_session_is_judged_where_sessions_grow(ramp: dict[str, Any] | None, judged: bool) -> None:
    """Elsewhere a few sessions are opened while the server warms up, which says nothing about one of them."""
    one, other = (
        more(run(seed), [observed(definitions.MEMORY_PER_SESSION, 1e5, 1.0)], settings={"ramp": ramp})
        for seed in (1, 2)
    )
    assert any(each.metric == "memory_per_session" for each in judge(one, other).rows) is judged


def test_a_few_samples_of_memory_are_left_out() -> None:
    """A short run is judged by what it has."""
    judgement = judge(more(run(1), memory(0.0, n=5)[:-1]), more(run(2), memory(0.0, n=5)[:-1]))
    assert judgement.verdict is PASS
    assert "mean of server_memory is not compared: the runs are too short for an interval of its samples" in (
        judgement.notes
    )


@pytest.mark.parametrize(
    ("stable", "ramp"),
    [(definitions.STABLE_SESSIONS, {"step": 5}), (definitions.STABLE_RATE, {"step": 99, "levels": [45, 40, 50]})],
)
@pytest.mark.parametrize(("held", "verdict"), [(60, PASS), (50, PASS), (45, INCONCLUSIVE), (30, FAIL)])
def test_a_limit_is_known_to_a_step_of_the_ramp(
    held: int, verdict: Verdict, stable: Definition, ramp: dict[str, Any]
) -> None:
    """One step less may be chance; and under another load nothing else is compared."""
    before = more(run(2), [observed(stable, 50.0, 1.0)], settings={"ramp": ramp})
    now = more(run(1, slower=1.5), [observed(stable, float(held), 1.0)], settings={"ramp": ramp})
    judgement = judge(now, before)
    assert row(judgement, stable.name).verdict is verdict
    assert len(judgement.rows) == (6 + 1 if held == 50 else 1)


def test_what_only_one_run_has_is_noted() -> None:
    """It is neither compared nor forgotten."""
    judgement = judge(run(1), more(run(2), memory(0.0)))
    assert "memory_growth is not compared: it was observed in the baseline only" in judgement.notes


def test_nothing_in_common_is_inconclusive() -> None:
    """It does not pass by default."""
    judgement = judge(dataclasses.replace(run(1), observations=[]), run(2))
    assert judgement.verdict is INCONCLUSIVE


@pytest.mark.parametrize(
    ("metric", "figure", "target", "verdict"),
    [
        ("first_chunk", "p95", "200 ms", PASS),
        ("first_chunk", "p95", "80 ms", FAIL),
        ("first_chunk", "p50", "99 ms", INCONCLUSIVE),
        ("first_chunk", "max", "10 s", PASS),
        ("first_chunk", "max", "1 ms", FAIL),
        ("message_rate", "value", "20 /s", PASS),
        ("message_rate", "value", "60 /s", FAIL),
        ("error_rate", "value", "5 /1000", PASS),
        ("chunk_gap", "p95", "1 s", INCONCLUSIVE),
        ("first_chunk", "p50", ">= 50 ms", PASS),
    ],
)
def test_a_target_is_met_missed_or_too_close(metric: str, figure: str, target: str, verdict: Verdict) -> None:
    """By the whole interval, where there is one."""
    found = judge(run(1), targets=parse({metric: {figure: target}}, "throughput"))
    assert row(found, metric, figure, "target").verdict is verdict
    assert found.verdict is verdict


def test_a_percentile_of_a_few_has_no_upper_bound() -> None:
    """40 observations do not prove a p95, however fast they are."""
    judgement = judge(run(1, n=40), targets=parse({"first_chunk": {"p95": "10 s"}}, "throughput"))
    assert judgement.verdict is INCONCLUSIVE
    assert "40 observations cannot tell; about 72 would" in judgement.rows[0].reason


def test_one_run_of_a_pair_after_the_other_is_judged_by_pairs() -> None:
    """A machine that gets slower during the rounds is no failure of the second server; a slower server is."""
    drift = [1.0, 1.3, 1.1, 1.5, 1.2, 1.4, 1.6, 1.2]
    for factor, verdict in ((1.0, PASS), (1.2, FAIL)):
        pairs = [
            (run(2 * number, n=150, slower=slow), run(2 * number + 1, n=150, slower=slow * factor))
            for number, slow in enumerate(drift)
        ]
        judgement = judge_pairs(pairs)
        assert judgement.verdict is verdict
        found = row(judgement, "first_chunk", "p50")
        assert found.change == pytest.approx(factor - 1, abs=0.03)
        assert found.n == len(drift)


def test_a_few_pairs_are_not_enough() -> None:
    """Three rounds are no proof."""
    judgement = judge_pairs([(run(2 * number, n=100), run(2 * number + 1, n=100)) for number in range(3)])
    assert judgement.verdict is INCONCLUSIVE
    assert "3 pairs are too few: 5 are needed" in judgement.rows[0].reason


def test_a_baseline_with_a_slip_in_its_path_is_one_error(tmp_path: Path) -> None:
    """Unless it is what the run will write; the message names the path as it was given."""
    place = tmp_path / "base.json"
    with pytest.raises(Refusal, match=f"^the baseline {place} is not there: give a run directory"):
        baseline.expected(place, "", tmp_path / "other", None)
    assert baseline.expected(place, "", f"{tmp_path}/x/../base.json") is None
    assert baseline.expected(tmp_path / "run" / "run.json", tmp_path / "run") is None
    baseline.save([run(1, n=20)], place)
    assert baseline.expected(place) is not None


def test_a_saved_baseline_judges_as_the_run_itself(tmp_path: Path) -> None:
    """A file, a run directory or its run.json: the same verdict, figure by figure."""
    before, now = more(run(2, failing=0.04), memory(0.0)), more(run(1, slower=1.05, failing=0.01), memory(2e4))
    baseline.save([before], tmp_path / "baseline.json")
    storage.save(before, tmp_path / "run")
    expected = judge(now, before)
    for place in (tmp_path / "baseline.json", tmp_path / "run", tmp_path / "run" / "run.json"):
        again = judge_by_files(now, baseline=str(place))
        assert [(each.metric, each.verdict) for each in again.rows] == [
            (each.metric, each.verdict) for each in expected.rows
        ]
        assert [each.reason for each in again.rows] == [each.reason for each in expected.rows]


def test_several_runs_are_one_baseline(tmp_path: Path) -> None:
    """A directory of run directories, or one file: the same verdict as from the runs themselves."""
    before, now = [run(seed, n=100) for seed in (2, 3, 4)], [run(seed, n=100) for seed in (5, 6)]
    for number, each in enumerate(before):
        storage.save(each, tmp_path / "runs" / f"{number + 1:02}")
    baseline.save(before, tmp_path / "baseline.json")
    expected = judge(now, before)
    assert {each.reference_n for each in expected.rows if each.metric != "error_rate"} == {3}
    assert row(expected, "error_rate").reference_n == 300
    for place in (tmp_path / "runs", tmp_path / "baseline.json"):
        again = judge_by_files(now, baseline=str(place))
        assert [each.reason for each in again.rows] == [each.reason for each in expected.rows]
    storage.save(more(run(9, n=20), [], scenario="soak"), tmp_path / "runs" / "99")
    with pytest.raises(Refusal, match="'throughput' and 'soak'"):
        baseline.load(tmp_path / "runs")


def test_failures_in_some_runs_of_several() -> None:
    """All runs fail in a percentile: worse than any; some of them: the spread is not known."""
    before = [run(seed, n=100) for seed in (2, 3, 4)]
    broken, good = run(5, n=100, failing=0.2), run(6, n=100)
    assert row(judge([broken, run(7, n=100, failing=0.2)], before), "first_chunk", "p95").verdict is FAIL
    found = row(judge([broken, good], before), "first_chunk", "p95")
    assert (found.value, found.verdict) == (math.inf, INCONCLUSIVE)


@pytest.mark.parametrize(
    ("text", "mend"),
    [
        ("{", "is no baseline"),
        ("[]", "is no baseline"),
        ('{"format": 9, "context": {}, "metrics": {}}', "format 9, and this version reads 1"),
        ('{"format": 1, "context": {"scenario": "a"}, "metrics": {"first_chunk": {"value": [1]}}}', "'at'"),
    ],
)
def test_a_damaged_baseline_is_one_error(tmp_path: Path, text: str, mend: str) -> None:
    """It is never taken for a missing one."""
    (tmp_path / "baseline.json").write_text(text)
    with pytest.raises(Refusal, match="give a run directory") as error:
        baseline.load(tmp_path / "baseline.json")
    assert mend in str(error.value)


def test_a_baseline_cannot_be_saved_everywhere(tmp_path: Path) -> None:
    """One error, and no draft left."""
    (tmp_path / "file").write_text("")
    with pytest.raises(Refusal, match="name another place"):
        baseline.save([run(1, n=20)], tmp_path / "file" / "baseline.json")


def test_a_bad_tolerance_is_one_error() -> None:
    """It names its option."""
    with pytest.raises(Refusal, match="--tolerance: '10' is no tolerance"):
        judge_by_files(run(1, n=20), tolerance="10")


def test_a_target_for_a_client_s_time_names_the_server_s_own() -> None:
    """A report of production knows no client."""
    rows = [observed(definitions.SERVER_FIRST_CHUNK, 0.2, float(number)) for number in range(40)]
    made = Run(run(1, 10).context, rows)
    judged = row(judge(made, targets=parse({"first_chunk": {"p95": "2 s"}}, "mixed")), "first_chunk", "p95", "target")
    assert judged.verdict is INCONCLUSIVE
    assert "give a target for server_first_chunk" in judged.reason
