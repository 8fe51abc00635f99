"""What a chunk costs."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.benchmarks.bench import Bench
from tests.benchmarks.environments import OURS
from tests.benchmarks.figures import Check, Figure, Result, Spread
from tests.benchmarks.instructions import countable, slope
from tests.benchmarks.measured import Answer, Measured
from tests.benchmarks.statistics import bootstrap

NUMBER = 1
NAME = "chunk"
TITLE = "A chunk, beyond no middleware"
MOST_OF_LEAST = 1.0
SIZES = {"300 B": 300, "1 KiB": 1 << 10, "16 KiB": 1 << 14, "128 KiB": 1 << 17, "1 MiB": 1 << 20}
_NS = 1e-3  # µs
# The numbers of its longest gap that an exchange holds, at whichever chunk that ends.
_OF_AN_EXCHANGE = 3


def run(bench: Bench, result: Result) -> None:
    """Beside nothing and the least wrapper there can be, in one process; in several, as each is laid out anew."""
    python = bench.environments.python(OURS)
    answers: dict[str, list[Answer]] = {name: [] for name in SIZES}
    for _ in range(bench.size(3, 1)):
        with Measured(python, "ailoop") as one:
            for _ in range(bench.size(3, 1)):
                for name, size in SIZES.items():
                    exchanges = bench.size(20, 10)
                    answers[name].append(one.ask("chunks", size=size, exchanges=exchanges, rounds=bench.size(10, 6)))
            retained = one.ask("retained", chunks=bench.size(5000, 1000))
    judge(result, answers, retained)
    if bench.quick or not countable():
        result.notes.append("instructions are counted in full runs where valgrind is installed")
        return
    bench.say("instructions")
    count(result, python)


def count(result: Result, python: Path) -> None:
    """Instructions of a chunk, beyond no middleware, and how many times those of the least coroutine wrapper."""
    few, many = ({"exchanges": 20, "chunks": chunks} for chunks in (10, 60))
    counted = {
        name: slope(python, name, "exchanges", few, many, units=20 * 50) for name in ("nothing", "least", "ailoop")
    }
    ours, least = (counted[name] - counted["nothing"] for name in ("ailoop", "least"))
    result.figures += [
        Figure("instructions of a chunk", Spread(ours), ""),
        Figure("instructions of the least coroutine wrapper", Spread(least), ""),
        Figure("instructions, times the least coroutine wrapper", Spread(ours / least), "×", most=MOST_OF_LEAST),
    ]


def judge(result: Result, answers: dict[str, list[Answer]], retained: Answer) -> None:
    """The figures of the answers by frame size."""
    for name, of_size in answers.items():
        spread = _extra(of_size, "this")
        result.figures.append(Figure(f"frames of {name}", spread, "µs"))
    every = [answer for of_size in answers.values() for answer in of_size]
    result.figures += [
        Figure("the least coroutine wrapper, all sizes", _extra(every, "least"), "µs"),
        Figure("times the least coroutine wrapper", _ratio(every), "×", most=MOST_OF_LEAST),
        Figure(
            "objects kept of each 1,000 chunks",
            Spread(max(0, retained["blocks"] - _OF_AN_EXCHANGE) * 1000 / retained["chunks"]),
            "",
            most=0,
        ),
    ]
    result.checks += [
        Check("every frame arrived, in order", all(answer["frames"] for answer in every)),
        Check("each answer gave one stream span", all(answer["spans"] == 1 for answer in every)),
        Check("what is kept was looked for where it is", retained["held"] > 0, f"{retained['held']} blocks"),
    ]


def _extra(answers: list[Answer], whose: str) -> Spread:
    theirs, nothing = _costs(answers, whose), _costs(answers, "nothing")
    return bootstrap(lambda these, none: float(np.median(these - none)) * _NS, theirs, nothing)


def _ratio(answers: list[Answer]) -> Spread:
    def ratio(these: np.ndarray, least: np.ndarray, none: np.ndarray) -> float:
        return float(np.median(these - none) / np.median(least - none))

    return bootstrap(ratio, _costs(answers, "this"), _costs(answers, "least"), _costs(answers, "nothing"))


def _costs(answers: list[Answer], whose: str) -> list[float]:
    return [cost for answer in answers for cost in answer["costs"][whose]]
