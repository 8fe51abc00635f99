"""What the real server pays, with wire and inside hooks on."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from tests.ailoop.process import STATELESS, Installation, Server, checkout, serving, standin
from tests.benchmarks.bench import Bench
from tests.benchmarks.environments import Unavailable
from tests.benchmarks.figures import Check, Figure, Result
from tests.benchmarks.serving.load import Window, load, provider
from tests.benchmarks.serving.profile import EXPORT, OURS, SDK, sampled
from tests.benchmarks.statistics import bootstrap, percentile, unpaired
from tests.benchmarks.statistics import middle as median_of

NUMBER = 3
NAME = "server"
TITLE = "The real server, wire and inside hooks on"
MOST_SHARE = 1.0  # % of CPU
MOST_EXTRA = 3.0  # %
SWITCH = "AILOOP_OTEL_ENABLED"
_MOST_OFTEN = 20  # functions
Pairs = list[dict[str, Window]]


def run(bench: Bench, result: Result) -> None:
    """Each checkout of the current generation; without any the stand-in, whose figures are told and not judged."""
    real = [checkout(path, bench.server_python) for path in bench.checkouts]
    fit = [each for each in real if each.dialect == STATELESS]
    if len(fit) < len(real):
        result.notes.append("the earlier generation is not measured: it sleeps 50 ms after each chunk")
    if fit:
        bench.say("installing the package where AILOOP_PYTHON is")
        bench.environments.install(bench.server_python, needs=True)
        _measure(bench, result, fit[0], judged=True)
        return
    result.notes.append("not run: AILOOP_CHECKOUT is not set; these are the stand-in's figures, which works far less")
    _measure(bench, result, standin(STATELESS), judged=False)


def _measure(bench: Bench, result: Result, installation: Installation, *, judged: bool) -> None:
    with ExitStack() as stack:
        about = stack.enter_context(provider())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        variables = about["environment" if judged else "plain_environment"]

        def start(name: str, added: Mapping[str, str]) -> Server:
            home = folder / name
            home.mkdir()
            return stack.enter_context(serving(installation, {**variables, "HOME": str(home), **added}))

        servers = {
            "without": start("without", {}),
            "with": start("with", {SWITCH: "true", "AILOOP_OTEL_DIRECTORY": str(folder / "telemetry")}),
        }
        pairs = _pairs(bench, servers)
        judge(result, pairs, judged=judged)
        _profile(bench, result, servers["with"], judged=judged)
        servers["with"].stop()
        _look(result, folder / "telemetry", servers["with"].output(), sum(pair["with"].exchanges for pair in pairs))


def _pairs(bench: Bench, servers: Mapping[str, Server]) -> Pairs:
    """Both in turn under the same load, the first in turn first; the first pairs only warm up."""
    pairs = []
    alone, clients, each = bench.size((8, 4, 6), (4, 3, 3))
    number, warm = bench.size(40, 8), 2  # pairs
    for pair in range(warm + number):
        bench.say(f"pair {pair + 1} of {warm + number}")
        names = sorted(servers, reverse=bool(pair % 2))
        windows = {name: load(servers[name], alone, clients, each) for name in names}
        if pair >= warm:
            pairs.append(windows)
    return pairs


def judge(result: Result, pairs: Pairs, *, judged: bool) -> None:
    """Differences within pairs, of what the exchanges without cost."""

    def column(name: str, key: str) -> list[float]:
        return [float(getattr(pair[name], key)) for pair in pairs]

    cpu = bootstrap(_extra, column("with", "cpu_each"), column("without", "cpu_each"))
    rate = bootstrap(_lost, column("with", "rate"), column("without", "rate"))
    firsts = {name: [seconds for pair in pairs for seconds in pair[name].first_texts] for name in ("with", "without")}
    p95 = unpaired(
        lambda more, less: (percentile(more, 95) - percentile(less, 95)) * 1e3, firsts["with"], firsts["without"]
    )
    most = MOST_EXTRA if judged else None
    bare = bootstrap(lambda seconds: median_of(seconds) * 1e3, column("without", "cpu_each"))
    result.figures += [
        Figure("CPU of an exchange of 100 chunks, without", bare, "ms"),
        Figure("extra CPU", cpu, "%", most=most, surely=judged),
        Figure("lost throughput", rate, "%", most=most, surely=judged),
        Figure("first chunk p95, difference", p95, "ms", holds=0.0 if judged else None),
    ]
    whole = all(window.whole for pair in pairs for window in pair.values())
    result.checks.append(Check("every answer arrived whole", whole))


def _profile(bench: Bench, result: Result, server: Server, *, judged: bool) -> None:
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
        most = MOST_SHARE if judged and len(owners) > 1 else None
        result.figures.append(Figure(f"CPU in frames {name}", share, "%", most=most))
    functions = sum((counted.functions for counted in samples), Counter[str]())
    most_often = ", ".join(f"{name} {count / sum(every):.1%}" for name, count in functions.most_common(_MOST_OFTEN))
    result.notes.append(f"where that goes, by the innermost function of ours or the SDK's: {most_often}")


def _look(result: Result, telemetry: Path, output: str, exchanges: int) -> None:
    text = "".join(path.read_text() for path in telemetry.glob("*trace*"))
    chats = text.count('"name":"chat ') + text.count('"name": "chat ')
    result.checks += [
        Check("every exchange gave a span of the model's call", chats >= exchanges, f"{chats} of {exchanges}"),
        Check("the package had no fault of its own", "a fault of its own" not in output),
    ]


def _extra(with_it: np.ndarray, without: np.ndarray) -> float:
    return float(np.median(with_it / without - 1)) * 100


def _lost(with_it: np.ndarray, without: np.ndarray) -> float:
    return float(np.median(1 - with_it / without)) * 100
