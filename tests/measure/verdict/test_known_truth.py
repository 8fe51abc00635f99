"""Verdicts on runs whose truth is known: what is plain is decided, and noise is not mistaken for a change."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from scipy.signal import lfilter

from ailoop_otel.measure.results.definitions import COMPLETION, ERROR_RATE, FIRST_CHUNK, RATE, TIMEOUT_TOLD
from ailoop_otel.measure.results.observations import Observation, observed
from ailoop_otel.measure.results.run import Context, Run
from ailoop_otel.measure.statistics.percentiles import Values
from ailoop_otel.measure.verdict.judge import judge
from ailoop_otel.measure.verdict.targets import Targets, parse
from ailoop_otel.measure.verdict.verdict import Verdict

PASS, FAIL, INCONCLUSIVE = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE
PAIRS = 60
A_SECOND = 10.0
TARGETS = parse({"first_chunk": {"p50": "200 ms", "p95": "300 ms"}, "error_rate": {"value": "10 /1000"}}, "x")


def made(first: Values, failed: Sequence[bool] = ()) -> Run:
    """A run with these times to the first chunk, ten a second."""
    n = len(first)
    lost = list(failed) or [False] * n
    rows: list[Observation] = []
    for number, (value, bad) in enumerate(zip(first.tolist(), lost, strict=True)):
        at, outcome = number / A_SECOND, "ai_error" if bad else "ok"
        rows += [
            observed(FIRST_CHUNK, math.nan if bad else value, at, outcome=outcome, exchange=number),
            observed(COMPLETION, 2 * value, at, outcome=outcome, exchange=number),
        ]
    whole = [observed(RATE, lost.count(False) / n * A_SECOND, n), observed(ERROR_RATE, 1000 * sum(lost) / n, n)]
    return Run(Context("x"), [*rows, *whole])


def noise(kind: str, seed: int, n: int) -> Values:
    """Times in seconds around 0.1, as noisy as servers are."""
    dice = np.random.default_rng(seed)
    normal = dice.normal(size=n)
    if kind == "autocorrelated":
        normal[1:] *= math.sqrt(1 - 0.98**2)
        normal = lfilter([1.0], [1.0, -0.98], normal)
    found: Values = {
        "independent": 0.1 * np.exp(0.2 * normal),
        "autocorrelated": 0.1 * np.exp(0.2 * normal),
        "bimodal": np.where(dice.random(n) < 0.5, 0.06, 0.14) * np.exp(0.05 * normal),
        "heavy-tailed": 0.06 * (1 + dice.pareto(1.5, size=n)),
        "run-offset": 0.1 * np.exp(0.1 * normal + 0.08 * dice.normal()),
    }[kind]
    return found


def runs(kind: str, seed: int, factor: float = 1.0, n: int = 200) -> list[Run]:
    """One run, or five where the runs differ; of first chunks alone, since so many are judged."""
    count = 5 if kind == "run-offset" else 1
    whole = [made(factor * noise(kind, 1000 * seed + number, n)) for number in range(count)]
    return [Run(run.context, [row for row in run.observations if row.metric == FIRST_CHUNK.name]) for run in whole]


@pytest.mark.parametrize("kind", ["independent", "autocorrelated", "bimodal", "heavy-tailed", "run-offset"])
def test_the_same_seldom_fails_and_a_fifth_more_seldom_passes(kind: str) -> None:
    """60 pairs each, of 200 messages: at most 3 false failures, and at most 1 false pass."""
    same: Counter[Verdict] = Counter()
    slower: Counter[Verdict] = Counter()
    for seed in range(PAIRS):
        before = runs(kind, 3 * seed)
        same[judge(runs(kind, 3 * seed + 1), before).verdict] += 1
        slower[judge(runs(kind, 3 * seed + 2, 1.2), before).verdict] += 1
    assert same[FAIL] <= 3
    assert slower[PASS] <= 1


@pytest.mark.parametrize("kind", ["independent", "autocorrelated", "bimodal", "heavy-tailed", "run-offset"])
@pytest.mark.parametrize("n", [5, 12, 20, 50])
def test_a_catastrophe_is_no_question_of_numbers(kind: str, n: int) -> None:
    """Ten times slower than the target or the baseline fails each time, whatever the noise."""
    for seed in range(5):
        before, slow = made(noise(kind, 2 * seed, n)), made(10 * noise(kind, 2 * seed + 1, n))
        assert judge(slow, before).verdict is FAIL
        assert judge(slow, targets=TARGETS).verdict is FAIL


@pytest.mark.parametrize("order", ["first half", "every other"])
@pytest.mark.parametrize("n", [5, 12, 20, 50])
def test_half_failing_is_no_question_of_numbers(n: int, order: str) -> None:
    """Against a target of 10 per 1,000 always, against a baseline without failures from 20 messages on."""
    failed = [number < n // 2 if order == "first half" else number % 2 == 1 for number in range(n)]
    for seed in range(5):
        broken = made(noise("independent", 2 * seed, n), failed)
        assert judge(broken, targets=parse({"error_rate": {"value": "10 /1000"}}, "x")).verdict is FAIL
        if n >= 20:
            assert judge(broken, made(noise("independent", 2 * seed + 1, n))).verdict is FAIL


@pytest.mark.parametrize(
    ("figure", "n"), [("p50", 30), ("p95", 30), ("p99", 30), ("p99", 300), ("p95", 2), ("mean", 5)]
)
def test_one_order_statistic_decides_what_is_beyond_a_target(figure: str, n: int) -> None:
    """Messages of 2.0 s each against 500 ms: an upper bound is not needed to fail."""
    judgement = judge(made(np.full(n, 2.0)), targets=parse({"first_chunk": {figure: "500 ms"}}, "x"))
    assert judgement.verdict is FAIL
    assert judgement.exit_code() == 1


def test_beyond_by_little_is_decided_by_the_exact_test() -> None:
    """20 % beyond: six medians of two directions are 1 in 64; with five it may be chance."""
    target = parse({"first_chunk": {"p50": "500 ms"}}, "x")
    assert judge(made(np.full(6, 0.6)), targets=target).verdict is FAIL
    five = judge(made(np.full(5, 0.6)), targets=target)
    assert five.verdict is INCONCLUSIVE
    assert five.rows[0].reason.endswith("the most is 500 ms; 5 observations cannot tell; about 6 would")


def test_what_is_far_within_a_target_passes_however_alike_it_is() -> None:
    """A run that gets slower all the time is worth two or three values, but each of 30 is within half of the limit."""
    rising = np.linspace(0.1, 0.2, 30)
    for limit, verdict in (("500 ms", PASS), ("300 ms", INCONCLUSIVE)):
        target = parse({"first_chunk": {"p50": limit}}, "x")
        assert judge(made(rising), targets=target).verdict is verdict
    assert judge(made(rising[:5]), targets=parse({"first_chunk": {"p50": "500 ms"}}, "x")).verdict is INCONCLUSIVE


@pytest.mark.parametrize("n", [5, 9, 12, 19])
def test_a_few_messages_many_times_slower_than_the_baseline_fail(n: int) -> None:
    """10 and 40 times, against as few and against 200."""
    for factor in (10, 40):
        for before in (made(noise("independent", 1, n)), made(noise("independent", 1, 200))):
            assert judge(made(factor * noise("independent", 2, n)), before).verdict is FAIL


def test_18_of_19_failed_against_none() -> None:
    """It fails by its error rate, and by its percentiles."""
    failing = made(noise("independent", 1, 19), [number > 0 for number in range(19)])
    judgement = judge(failing, made(noise("independent", 2, 19)))
    assert judgement.verdict is FAIL
    assert {row.metric for row in judgement.rows if row.verdict is FAIL} >= {"error_rate", "completion"}


@pytest.mark.parametrize(("factor", "verdict"), [(1.0, PASS), (1.3, FAIL)])
def test_nine_timeouts_decide(factor: float, verdict: Verdict) -> None:
    """As many as the scenario of the AI that does not answer has, against nine of a baseline."""

    def timeouts(seed: int, factor: float) -> Run:
        values = factor * 10 * np.exp(0.01 * np.random.default_rng(seed).normal(size=9))
        rows = [
            observed(TIMEOUT_TOLD, float(value), float(at), outcome="ai_timeout", exchange=at)
            for at, value in enumerate(values)
        ]
        return Run(Context("x"), rows)

    assert judge(timeouts(1, factor), timeouts(2, 1.0)).verdict is verdict


@pytest.mark.parametrize("n", [1, 2, 5, 10, 20, 60, 71])
def test_what_is_fine_but_tiny_names_one_number_that_would_decide(n: int) -> None:
    """The number is one for all, it decides, and one is not called observations."""
    target = parse({"first_chunk": {"p95": "500 ms"}}, "x")
    judgement = judge(made(np.full(n, 0.1)), targets=target)
    assert judgement.verdict is INCONCLUSIVE
    noun = "1 observation" if n == 1 else f"{n} observations"
    assert judgement.rows[0].reason.endswith(f"; {noun} cannot tell; about 72 would")
    assert judge(made(np.full(72, 0.1)), targets=target).verdict is PASS


@pytest.mark.parametrize("n", [1, 4])
def test_too_few_for_a_baseline_name_the_number_that_would_decide(n: int) -> None:
    """A single message is no verdict, however it went."""
    judgement = judge(made(noise("independent", 1, n)), made(noise("independent", 2, 200)))
    assert judgement.verdict is INCONCLUSIVE
    reasons = [row.reason for row in judgement.rows if row.figure == "p50"]
    noun = "1 observation" if n == 1 else f"{n} observations"
    assert all(reason.endswith(f"; {noun} cannot tell; about 6 would") for reason in reasons)


def offset(seed: int, count: int, factor: float = 1.0) -> list[Run]:
    return [made(factor * noise("run-offset", 100 * seed + number, 200)) for number in range(count)]


def test_several_runs_of_a_baseline_know_how_runs_differ() -> None:
    """One new run against five: the spread of the five is in the interval, and twice as slow is beyond it."""
    before = offset(1, 5)
    same = [judge(offset(seed, 1), before).verdict for seed in range(2, 22)]
    assert same.count(FAIL) <= 1
    assert judge(offset(2, 1, 2.0), before).verdict is FAIL
    found = next(row for row in judge(offset(2, 5), before).rows if (row.metric, row.figure) == ("first_chunk", "p50"))
    assert (found.n, found.reference_n) == (5, 5)
    assert "--runs" in found.reason or found.verdict is PASS


@pytest.mark.parametrize(("now", "before"), [(1, 2), (2, 1), (2, 2)])
def test_a_catastrophe_is_no_question_of_the_number_of_runs(now: int, before: int) -> None:
    """Two or three runs know little about how runs differ; ten times slower, or half failing, is plain."""
    earlier = [made(noise("independent", seed, 12)) for seed in range(before)]
    slow = [made(10 * noise("independent", 10 + seed, 12)) for seed in range(now)]
    assert judge(slow, earlier).verdict is FAIL
    broken = [made(noise("independent", 10 + seed, 20), [number % 2 == 1 for number in range(20)])
              for seed in range(now)]  # fmt: skip
    judgement = judge(broken, [made(noise("independent", seed, 20)) for seed in range(before)])
    assert next(row for row in judgement.rows if row.metric == "error_rate").verdict is FAIL


def test_one_run_on_each_side_says_what_it_does_not_know() -> None:
    """The note names the share that is granted; 14 % more is neither allowed nor beyond it."""
    one, other = (made(np.tile(np.linspace(0.099, 0.101, 10), 20) * factor) for factor in (1.0, 1.14))
    judgement = judge(other, one)
    assert judgement.verdict is INCONCLUSIVE
    assert any("is not known: a change fails only if it is beyond what is allowed by 5 % more" in each
               for each in judgement.notes)  # fmt: skip
    assert "up to 5 % more may lie between any two runs: --runs 5 for both would tell" in judgement.rows[0].reason
    several = judge([other] * 2, [one] * 2)
    assert several.verdict is FAIL
    assert not any("is not known" in note for note in several.notes)


def test_the_method_says_how_often_all_figures_together_raise_a_false_alarm() -> None:
    """Not each alone."""
    method = judge(made(noise("independent", 1, 50)), targets=TARGETS).method
    assert "(Holm), so that all of them together raise a false alarm in 2.5 % of runs at most" in method


def test_what_fails_leaves_a_smaller_family_to_the_others() -> None:
    """Holm: the second figure fails with the first, and not beside one that passes."""
    values = np.full(7, 0.6)
    plain, alone = {"first_chunk": {"p50": "500 ms"}}, {"first_chunk": {"p50": "500 ms", "p90": "700 ms"}}

    def verdicts(targets: Targets) -> list[Verdict]:
        return [row.verdict for row in judge(made(values), targets=targets).rows]

    assert verdicts(parse(plain, "x")) == [FAIL]
    assert verdicts(parse(alone, "x")) == [FAIL, INCONCLUSIVE]
    assert verdicts(parse({**alone, "completion": {"p50": "2 s"}}, "x"))[0] is FAIL
    more = {**plain, "completion": {"p50": "1 s", "p95": "1 s"}}
    assert verdicts(parse(more, "x")) == [FAIL, FAIL, FAIL]
