"""How soon an AI's silence is noticed."""

from __future__ import annotations

import math

from tests.benchmarks.bench import Bench
from tests.benchmarks.environments import OURS
from tests.benchmarks.figures import Check, Figure, Result, Spread
from tests.benchmarks.measured import Answer, Measured
from tests.benchmarks.statistics import bootstrap, percentile

NUMBER = 5
NAME = "timeouts"
TITLE = "Timeouts of 10,000 open exchanges"
MOST_P99 = 10.0  # ms
MOST_SWITCHES = 2.5
MOST_AT_ONCE = 50.0  # ms
MOST_TOLD = 2.0  # s
MOST_AT_REST = 0.5  # % of a core
BUSY = "busy"
HOW = {
    "free": "event loop free",
    "asleep": "event loop blocked by a sleep",
    BUSY: "event loop blocked by Python code that never waits",
}
_MS = 1e3
_CLOCKS_APART = 0.001  # seconds that the wall clock may be corrected by, meanwhile


def run(bench: Bench, result: Result) -> None:
    """Deadlines spread over seconds, then all at once, then none for a long time."""
    number = bench.size(10_000, 1_000)
    opening = bench.size(5.0, 1.0)
    for how, title in HOW.items():
        answer = ask(bench, how, number, opening + bench.size(3.0, 1.0), opening)
        judge_spread(result, title, answer, number, never_waits=how == BUSY)
    # Long enough that all are open before it is over.
    judge_at_once(result, ask(bench, "at once", number, bench.size(20.0, 3.0)), number)
    rest = ask(bench, "rest", number, 1000.0)
    share = bootstrap(lambda shares: float(shares.mean()) * 100, rest["shares"])
    result.figures.append(
        Figure(f"watchdog at rest, {number:,} exchanges open", share, "% of a core", most=MOST_AT_REST)
    )
    result.checks.append(Check("the watchdog lived", rest["alive"]))


def ask(bench: Bench, how: str, number: int, deadline: float, opening: float = 0.0) -> Answer:
    """In a process of its own."""
    bench.say(how)
    variables = {"AILOOP_OTEL_AI_TIMEOUT_FIRST_CHUNK": f"{deadline}", "AILOOP_OTEL_AI_TIMEOUT_TOTAL": "0"}
    with Measured(bench.environments.python(OURS), "ailoop", variables) as one:
        return one.ask("timeouts", how=how, exchanges=number, deadline=deadline, opening=opening)


def judge_spread(result: Result, title: str, answer: Answer, number: int, *, never_waits: bool = False) -> None:
    """Noticed after the deadline, 99 of 100; beside Python that never waits, in the interpreter's switch intervals.

    A thread that never waits keeps the interpreter's lock for such an interval after another one asked for it.
    """
    if answer["noticed"]:
        spread = bootstrap(lambda delays: percentile(delays, 99) * _MS, answer["noticed"])
        beside = bootstrap(lambda delays: percentile(delays, 99) * _MS, answer["beside"])
        result.figures += [
            Figure(f"noticed p99, {title}", spread, "ms", most=None if never_waits else MOST_P99),
            Figure("… less what the garbage collector held up", beside, "ms"),
            Figure("… whose longest pause was", Spread(answer["collected"] * _MS), "ms"),
        ]
        if never_waits:
            interval = answer["switch"]
            switches = bootstrap(lambda delays: percentile(delays, 99) / interval, answer["noticed"])
            name = f"… in switch intervals of {interval * _MS:g} ms"
            result.figures.append(Figure(name, switches, "×", most=MOST_SWITCHES))
    _check(result, title, answer, number)


def judge_at_once(result: Result, answer: Answer, number: int) -> None:
    """The last noticed, the last told."""
    for name, unit, scale, most in (("noticed", "ms", _MS, MOST_AT_ONCE), ("told", "s", 1.0, MOST_TOLD)):
        # The last one has no interval.
        last = Spread(max(answer[name], default=math.inf) * scale)
        result.figures.append(Figure(f"all due at once, the last {name}", last, unit, most=most))
    beside = Spread(max(answer["beside"], default=math.inf) * _MS)
    result.figures += [
        Figure("… noticed, less what the garbage collector held up", beside, "ms"),
        Figure("… whose longest pause was", Spread(answer["collected"] * _MS), "ms"),
    ]
    _check(result, "all due at once", answer, number)


def _check(result: Result, title: str, answer: Answer, number: int) -> None:
    seen = (len(answer["noticed"]), answer["spans"])
    result.checks.append(Check(f"{title}: every one was told, once", seen == (number, number), f"{seen}"))
    early = min(answer["noticed"], default=0.0)
    result.checks.append(Check(f"{title}: none before its deadline", early > -_CLOCKS_APART, f"{early:.6f} s"))
