"""What many sessions in one process cost."""

from __future__ import annotations

from functools import partial

import numpy as np

from tests.benchmarks.bench import Bench
from tests.benchmarks.environments import OURS
from tests.benchmarks.figures import Check, Figure, Result, Spread
from tests.benchmarks.measured import Answer, Measured, column, in_turns, together
from tests.benchmarks.statistics import bootstrap

NUMBER = 4
NAME = "sessions"
TITLE = "Many sessions in one process"
MOST_AT_REST, MOST_OPEN = 2.0, 6.0  # KiB
MOST_TIMES = 1.1
CROWDS = (1, 1_000, 10_000)
_KIB = 1 / 1024


def run(bench: Bench, result: Result) -> None:
    """Weighed by what Python allocates with and without; timed in one process for each crowd."""
    python = bench.environments.python(OURS)
    number = bench.size(10_000, 1_000)
    weights = {}
    for name in ("nothing", "ailoop"):
        with Measured(python, name) as one:
            weights[name] = one.ask("crowd", sessions=number)
    weigh(result, weights, number)
    crowds = bench.size(CROWDS, CROWDS[:2])
    wanted = {f"{name} {crowd}": (python, name) for crowd in crowds for name in ("nothing", "ailoop")}
    with together(wanted) as ones:
        exchanges = bench.size(200, 50)
        asks = {name: partial(speak, sessions=int(name.split()[1]), exchanges=exchanges) for name in ones}
        rounds = list(in_turns(asks, ones, bench.size(20, 6)))
    compare(result, rounds, crowds)


def speak(one: Measured, sessions: int, exchanges: int) -> Answer:
    """Some of the sessions hold exchanges."""
    return one.ask("crowd", sessions=sessions, exchanges=exchanges)


def weigh(result: Result, weights: dict[str, Answer], number: int) -> None:
    """What a session holds."""
    rest, opened = (weights["ailoop"][key] - weights["nothing"][key] for key in ("rest", "open"))
    result.figures += [
        Figure(f"memory at rest, each of {number:,} sessions", Spread(rest * _KIB), "KiB", most=MOST_AT_REST),
        Figure("memory with an exchange open", Spread(opened * _KIB), "KiB", most=MOST_OPEN),
    ]
    spans = weights["ailoop"]["spans"]
    result.checks += [
        Check("every frame arrived", all(weight["frames"] for weight in weights.values())),
        Check("each session had its first chunk", spans.get("ailoop.first_chunk") == number, f"{spans}"),
    ]


def compare(result: Result, rounds: list[dict[str, Answer]], crowds: tuple[int, ...]) -> None:
    """What an exchange costs beyond no middleware, by the number of sessions."""

    def costs(crowd: int) -> tuple[list[float], list[float]]:
        return column(rounds, f"ailoop {crowd}", "cpu"), column(rounds, f"nothing {crowd}", "cpu")

    for crowd in crowds:
        extra = bootstrap(lambda ours, none: float(np.median(ours - none)) / 1000, *costs(crowd))
        result.figures.append(Figure(f"CPU of an exchange, sessions: {crowd:,}", extra, "µs"))
    for crowd in crowds[1:]:
        times = bootstrap(_times, *costs(crowd), *costs(crowds[0]))
        result.figures.append(Figure(f"sessions: {crowd:,}, times that of one", times, "×", most=MOST_TIMES))
    ours = [answers[f"ailoop {crowd}"] for answers in rounds for crowd in crowds]
    seen = {sum(answer["spans"].values()) for answer in ours}
    result.checks += [
        Check("three spans an exchange", seen == {3}, f"{sorted(seen)}"),
        Check("every frame of the exchanges arrived", all(a["frames"] for answers in rounds for a in answers.values())),
    ]


def _times(many: np.ndarray, none_of_many: np.ndarray, one: np.ndarray, none_of_one: np.ndarray) -> float:
    return float(np.median(many - none_of_many) / np.median(one - none_of_one))
