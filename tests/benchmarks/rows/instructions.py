"""Instructions that an exchange takes on the real server: with each part of the package, and beside others."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import TypeVar

import numpy as np

from ailoop_otel.names import FAST_PATHS
from tests.benchmarks.bench import Bench
from tests.benchmarks.figures import Check, Figure, Result, Spread
from tests.benchmarks.instructions import countable
from tests.benchmarks.serving.counted import Counted, count, idle
from tests.benchmarks.serving.load import provider
from tests.benchmarks.serving.sink import sink
from tests.benchmarks.serving.variants import (
    FILES,
    LESS,
    NO_HOOKS,
    NONE,
    OTLP,
    PEERS,
    TITLES,
    VARIANTS,
    WITHOUT,
    Place,
    Variant,
    compared_with,
)
from tests.benchmarks.statistics import bootstrap

NUMBER = 9
NAME = "instructions"
TITLE = "Instructions of an exchange of 100 chunks on the real server"
MOST = {NONE: 1.5, FILES: 3.0}  # % beyond without
MOST_IDLE = 0.2  # million instructions per second beyond without
LITTLE = 0.5  # %: a fast path that saves less is marked
ABLATIONS = tuple(LESS + path for path in FAST_PATHS)
_MILLION = 1e-6
_T = TypeVar("_T")


def run(bench: Bench, result: Result) -> None:
    """All variants by the number of cores at a time: what else the machine does changes no count."""
    root = bench.current_generation()
    if root is None or not countable():
        result.notes.append("not run: needs AILOOP_CHECKOUT (the current generation), AILOOP_PYTHON and valgrind")
        return
    names = [WITHOUT, FILES, NONE, NO_HOOKS, OTLP, *ABLATIONS, *PEERS]
    with ExitStack() as stack:
        about = stack.enter_context(provider())
        backend = stack.enter_context(sink())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        place = Place(root, bench.server_python, about["environment"], backend, folder, bench.environments)
        parts, each, rest = bench.size((4, 4, 20.0), (2, 2, 6.0))
        counted = in_parallel(bench, result, names, lambda variant: count(place, variant, parts, each, rest))
        rested = {}
        if not bench.quick:
            at_rest = [name for name in (WITHOUT, FILES, *PEERS) if name in counted]
            rested = in_parallel(bench, result, at_rest, lambda variant: idle(place, variant, 40.0), "at rest: ")
        chats = place.chats(VARIANTS[FILES])
    judge(result, counted, rested)
    hooked = f"{chats} spans of model calls"
    result.checks.append(Check("the hooks inside the server were on", chats >= parts * each, hooked))


def in_parallel(
    bench: Bench, result: Result, names: Sequence[str], work: Callable[[Variant], _T], what: str = ""
) -> dict[str, _T]:
    """One piece of work for each, several at once; others that cannot be run are left out with a word."""
    done: dict[str, _T] = {}

    def one(name: str) -> None:
        bench.say(f"{what}{name}, {len(done)} of {len(names)} done")
        try:
            done[name] = work(VARIANTS[name])
        except Exception as fault:  # noqa: BLE001 - what the others came to is not to be lost
            why = " ".join(str(fault).split())[-300:]
            if name in PEERS:
                result.notes.append(f"{name} was not counted: {why}")
            else:
                result.checks.append(Check(f"{name} could be counted", False, why))

    with ThreadPoolExecutor(min(2, os.cpu_count() or 1)) as pool:
        list(pool.map(one, names))
    return {name: done[name] for name in names if name in done}


def beyond(variant: str) -> str:
    """The name of its figure: instructions of an exchange beyond those without."""
    return f"beyond without: {TITLES[variant]}"


def at_rest(variant: str) -> str:
    """The name of its figure: instructions when nobody talks, beyond those without."""
    return f"at rest, beyond without: {TITLES[variant]}"


def saving(path: str) -> str:
    """The name of its figure: what a fast path saves of the instructions of an exchange."""
    return f"saved by the fast path `{path}`, of an exchange without"


def judge(result: Result, counted: Mapping[str, Counted], rested: Mapping[str, float]) -> None:
    """What each variant takes beyond the server alone, what each fast path saves, and what is done at rest."""
    bare = counted.get(WITHOUT)
    if bare is None:
        return
    result.figures.append(Figure("without", _mean(bare), "million"))
    result.figures += [
        Figure(beyond(name), _beyond(counted[name], bare), "%", most=MOST.get(name))
        for name in (NONE, NO_HOOKS, FILES, OTLP, *PEERS)
        if name in counted
    ]
    for name in ABLATIONS:
        whole = counted.get(compared_with(name))
        if name in counted and whole is not None:
            result.figures.append(_saved(name.removeprefix(LESS), counted[name], whole, bare))
    result.figures += [
        Figure(
            at_rest(name),
            Spread((rested[name] - rested[WITHOUT]) * _MILLION),
            "million/s",
            most=MOST_IDLE if name == FILES else None,
        )
        for name in rested
        if name != WITHOUT and WITHOUT in rested
    ]
    seconds = [took for each in counted.values() for took in each.seconds]
    if seconds:
        result.notes.append(
            f"an exchange took {min(seconds):.1f} to {max(seconds):.1f} s under the counter; where these are far apart "
            "the machine was busy, timers came late, and what is taken off for rest is too much by up to some per cent"
        )
    result.checks += [
        Check("every answer arrived whole", all(each.whole for each in counted.values())),
        *(
            Check(f"{name}: spans came out", counted[name].recorded > 0)
            for name in counted
            if name not in (WITHOUT, NONE)
        ),
    ]


def _saved(path: str, without_it: Counted, whole: Counted, bare: Counted) -> Figure:
    def saved(slow: np.ndarray, fast: np.ndarray, none: np.ndarray) -> float:
        return float((slow.mean() - fast.mean()) / none.mean()) * 100

    spread = bootstrap(saved, without_it.exchanges, whole.exchanges, bare.exchanges)
    return Figure(saving(path), spread, "%")


def _beyond(more: Counted, bare: Counted) -> Spread:
    # Part by part: the conversation that the model is sent grows with each.
    return bootstrap(lambda these, none: float(these.mean() / none.mean() - 1) * 100, more.exchanges, bare.exchanges)


def _mean(counted: Counted) -> Spread:
    return Spread(float(np.mean(counted.exchanges)) * _MILLION)
