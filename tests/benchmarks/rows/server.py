"""What the real server pays, with wire and inside hooks on, and what it pays for others."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from tests.ailoop.process import Server
from tests.benchmarks.bench import Bench
from tests.benchmarks.environments import Unavailable
from tests.benchmarks.figures import Check, Figure, Result
from tests.benchmarks.serving.load import Window, load, provider
from tests.benchmarks.serving.profile import EXPORT, OURS, SDK, sampled
from tests.benchmarks.serving.sink import sink
from tests.benchmarks.serving.variants import FILES, PEERS, TITLES, VARIANTS, WITHOUT, Place
from tests.benchmarks.statistics import bootstrap, percentile, unpaired
from tests.benchmarks.statistics import middle as median_of

NUMBER = 3
NAME = "server"
TITLE = "The real server, wire and inside hooks on"
MOST_EXTRA = 5.0  # %
_MOST_OFTEN = 20  # functions
_WARM = 2  # rounds
Rounds = list[dict[str, Window]]


def run(bench: Bench, result: Result) -> None:
    """Servers beside each other on the same checkout, without the package, with it, and with others in its place."""
    root = bench.current_generation()
    if root is None:
        result.notes.append(
            "not run: needs AILOOP_CHECKOUT, with a checkout of the current generation (the earlier one sleeps 50 ms "
            "after each chunk), and AILOOP_PYTHON"
        )
        return
    with ExitStack() as stack:
        about = stack.enter_context(provider())
        backend = stack.enter_context(sink())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        place = Place(root, bench.server_python, about["environment"], backend, folder, bench.environments)
        servers = _started(bench, result, place, stack)
        rounds = _rounds(bench, result, servers)
        judge(result, rounds)
        _profile(bench, result, servers[FILES])
        servers[FILES].stop()
        _look(result, place, servers[FILES].output(), sum(windows[FILES].exchanges for windows in rounds))
        for name in servers.keys() & set(PEERS):
            result.checks.append(Check(f"{name}: spans came out", place.recorded(VARIANTS[name]) > 0))


def _started(bench: Bench, result: Result, place: Place, stack: ExitStack) -> dict[str, Server]:
    servers = {}
    for name in (WITHOUT, FILES, *PEERS):
        bench.say(f"starting {name}")
        try:
            servers[name] = stack.enter_context(place.running(VARIANTS[name]))
        except (Unavailable, RuntimeError, OSError) as fault:
            if name not in PEERS:
                raise
            result.notes.append(f"{name} was not run: {' '.join(str(fault).split())[-300:]}")
    return servers


def _rounds(bench: Bench, result: Result, servers: Mapping[str, Server]) -> Rounds:
    """All in turn under the same load, a different one first in each round; the first rounds only warm up.

    Others take part in fewer rounds: what they cost is not judged; and in none after one that they did not survive.
    """
    rounds = []
    servers = dict(servers)
    alone, clients, each = bench.size((6, 4, 4), (4, 3, 3))
    number, with_peers = bench.size((50, 20), (8, 4))
    for turn in range(_WARM + number):
        bench.say(f"round {turn + 1} of {_WARM + number}")
        names = [name for name in servers if name not in PEERS or turn < _WARM + with_peers]
        first = turn % len(names)
        order = (*names[first:], *names[:first])
        windows = {name: window for name in order if (window := _loaded(result, name, servers, (alone, clients, each)))}
        if turn >= _WARM:
            rounds.append(windows)
    return rounds


def _loaded(result: Result, name: str, servers: dict[str, Server], size: tuple[int, int, int]) -> Window | None:
    try:
        return load(servers[name], *size)
    except Exception as fault:
        if name not in PEERS:
            raise
        del servers[name]
        result.notes.append(f"{name} was run no further: {fault!r}")
        return None


def extra(variant: str) -> str:
    """The name of its figure: CPU of an exchange beyond that without."""
    return f"extra CPU: {TITLES[variant]}"


def judge(result: Result, rounds: Rounds) -> None:
    """Ratios and differences within rounds, of what the exchanges without cost."""
    cpu = bootstrap(_extra, *_both(rounds, FILES, "cpu_each"))
    rate = bootstrap(_lost, *_both(rounds, FILES, "rate"))
    firsts = {name: [seconds for each in rounds for seconds in each[name].first_texts] for name in (FILES, WITHOUT)}
    p95 = unpaired(
        lambda more, less: (percentile(more, 95) - percentile(less, 95)) * 1e3, firsts[FILES], firsts[WITHOUT]
    )
    bare = bootstrap(lambda seconds: median_of(seconds) * 1e3, [each[WITHOUT].cpu_each for each in rounds])
    result.figures += [
        Figure("CPU of an exchange of 100 chunks, without", bare, "ms"),
        Figure(extra(FILES), cpu, "%", most=MOST_EXTRA, surely=True),
        *(
            Figure(extra(name), bootstrap(_extra, *_both(rounds, name, "cpu_each")), "%")
            for name in PEERS
            if any(name in each for each in rounds)
        ),
        Figure("lost throughput", rate, "%", most=MOST_EXTRA, surely=True),
        Figure("first chunk p95, difference", p95, "ms", holds=0.0),
    ]
    whole = all(window.whole for each in rounds for window in each.values())
    result.checks.append(Check("every answer arrived whole", whole))


def _both(rounds: Rounds, name: str, key: str) -> tuple[list[float], list[float]]:
    """One's numbers and those without, of the rounds in which it took part."""
    pairs = [each for each in rounds if name in each]
    more, less = ([float(getattr(each[whose], key)) for each in pairs] for whose in (name, WITHOUT))
    return more, less


def _profile(bench: Bench, result: Result, server: Server) -> None:
    try:
        profiler = bench.environments.python("profiler")
    except Unavailable as fault:
        result.notes.append(f"no profile: {fault}")
        return
    bench.say("profile")
    until = time.monotonic() + bench.size(40.0, 8.0)
    samples = []
    while time.monotonic() < until:
        with sampled(profiler, server.pid) as counted:
            load(server, 2, 4, bench.size(10, 5))
        samples.append(counted)
    every = [sum(counted.owners.values()) for counted in samples]
    parts = {
        "ours, where the server runs": (OURS,),
        "the SDK's, where the server runs": (SDK,),
        "of the export threads": (EXPORT,),
        f"ours and the SDK's, all of it, of {sum(every):,} samples": (OURS, SDK, EXPORT),
    }
    for name, owners in parts.items():
        spent = [sum(counted.owners[owner] for owner in owners) for counted in samples]
        share = bootstrap(lambda spent, every: float(spent.sum() / every.sum()) * 100, spent, every)
        result.figures.append(Figure(f"CPU in frames {name}", share, "%"))
    functions = sum((counted.functions for counted in samples), Counter[str]())
    most_often = ", ".join(f"{name} {count / sum(every):.1%}" for name, count in functions.most_common(_MOST_OFTEN))
    result.notes.append(f"where that goes, by the innermost function of ours or the SDK's: {most_often}")


def _look(result: Result, place: Place, output: str, exchanges: int) -> None:
    chats = place.chats(VARIANTS[FILES])
    result.checks += [
        Check("every exchange gave a span of the model's call", chats >= exchanges, f"{chats} of {exchanges}"),
        Check("the package had no fault of its own", "a fault of its own" not in output),
    ]


def _extra(with_it: np.ndarray, without: np.ndarray) -> float:
    return float(np.median(with_it / without - 1)) * 100


def _lost(with_it: np.ndarray, without: np.ndarray) -> float:
    return float(np.median(1 - with_it / without)) * 100
