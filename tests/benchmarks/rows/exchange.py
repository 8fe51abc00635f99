"""What an exchange costs, beside others on the same work."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from tests.benchmarks.bench import Bench
from tests.benchmarks.environments import OURS
from tests.benchmarks.figures import Check, Figure, Result, Spread
from tests.benchmarks.instructions import countable, slope
from tests.benchmarks.measured import Answer, Measured, column, in_turns, together
from tests.benchmarks.statistics import bootstrap, middle

NUMBER = 2
NAME = "exchange"
TITLE = "An exchange of 100 chunks, wire only"
MOST_OF_SDK = 1.3
LEAST_OF_ASGI = 60
CHUNKS, FEW = 100, 10
FRAMES = CHUNKS + 3  # the last chunk once more, the whole text, the reply
_NS = 1e-3  # µs
# Contender → its environment, and how many spans an exchange is to give.
OWN = {"nothing": (OURS, 0), "sdk": (OURS, 3), "ailoop": (OURS, 3), "ailoop:files": (OURS, 3)}
PEERS = {
    "otel_asgi:otlp": ("otel", FRAMES + 1),
    "otel_asgi:defaults": ("otel", FRAMES + 1),
    "otel_asgi:quiet": ("otel", 0),
    "logfire_asgi": ("logfire", 0),
    "logfire_asgi:messages": ("logfire", FRAMES + 1),
    "datadog": ("ddtrace", FRAMES + 1),
}
TITLES = {
    "nothing": "no middleware",
    "sdk": "the same spans straight through the SDK, OTLP",
    "ailoop": "ailoop-otel, OTLP",
    "ailoop:files": "ailoop-otel, its default: JSON files",
    "otel_asgi:otlp": "OpenTelemetry ASGI, OTLP",
    "otel_asgi:defaults": "OpenTelemetry ASGI, nothing encoded",
    "otel_asgi:quiet": "OpenTelemetry ASGI without message spans, nothing encoded",
    "logfire_asgi": "logfire without message spans, OTLP",
    "logfire_asgi:messages": "logfire, OTLP",
    "datadog": "ddtrace",
}
Rounds = list[dict[str, Answer]]


def run(bench: Bench, result: Result) -> None:
    """All contenders in turn, each in a process and an environment of its own."""
    bench.environments.python(OURS)
    there, notes = bench.available({name: environment for name, (environment, _) in (OWN | PEERS).items()})
    result.notes += notes
    with together(there, result.notes) as ones:
        light, heavy = bench.size(100, 40), bench.size(10, 4)
        asks = {name: partial(hold, exchanges=heavy if name in PEERS else light) for name in ones}
        rounds = list(in_turns(asks, ones, bench.size(40, 6)))
    judge(result, rounds)
    if not bench.quick and countable():
        bench.say("instructions")
        count(result, bench.environments.python(OURS))


def count(result: Result, python: Path) -> None:
    """Instructions of an exchange, beyond no middleware."""

    def counted(contender: str, chunks: int) -> float:
        few, many = ({"exchanges": exchanges, "chunks": chunks, "read": False} for exchanges in (10, 40))
        return slope(python, contender, "exchanges", few, many, units=30)

    whole, short, sdk = (
        counted(name, chunks) - counted("nothing", chunks)
        for name, chunks in (("ailoop", CHUNKS), ("ailoop", FEW), ("sdk", CHUNKS))
    )
    fixed = short - FEW * (whole - short) / (CHUNKS - FEW)
    result.figures += [
        Figure("instructions, chunks included", Spread(whole), ""),
        Figure("instructions, without its chunks", Spread(fixed), ""),
        Figure("instructions, without its chunks, times the SDK alone", Spread(fixed / sdk), "×"),
    ]


def hold(one: Measured, exchanges: int) -> Answer:
    """Exchanges of many chunks and of few; `fixed` is what is left when the chunks' part is taken off."""
    many = one.ask("exchanges", exchanges=exchanges, chunks=CHUNKS)
    few = one.ask("exchanges", exchanges=exchanges, chunks=FEW)
    per_chunk = (many["cpu"] - few["cpu"]) / (CHUNKS - FEW)
    return {**many, "fixed": few["cpu"] - FEW * per_chunk, "frames": many["frames"] and few["frames"]}


def judge(result: Result, rounds: Rounds) -> None:
    """The figures of all rounds."""
    nothing, whole = column(rounds, "nothing", "cpu"), column(rounds, "ailoop", "cpu")
    ours, none = column(rounds, "ailoop", "fixed"), column(rounds, "nothing", "fixed")
    # It looks at no chunk, so that nothing is to be taken off.
    sdk = column(rounds, "sdk", "cpu")
    result.figures += [
        Figure("without its chunks", bootstrap(_difference, ours, none), "µs"),
        Figure("times the SDK alone", bootstrap(_ratio, ours, none, sdk, nothing), "×", most=MOST_OF_SDK),
    ]
    if "otel_asgi:otlp" in rounds[0]:
        asgi = column(rounds, "otel_asgi:otlp", "cpu")
        result.figures += [
            Figure(
                "cheaper than OpenTelemetry ASGI with OTLP, chunks included",
                bootstrap(_ratio, asgi, nothing, whole, nothing),
                "×",
                least=LEAST_OF_ASGI,
            ),
            Figure("the SDK alone, cheaper than the same", bootstrap(_ratio, asgi, nothing, sdk, nothing), "×"),
        ]
    for name in rounds[0]:
        cost = bootstrap(lambda cpu: middle(cpu) * _NS, column(rounds, name, "cpu"))
        result.figures.append(Figure(f"CPU: {TITLES[name]}", cost, "µs"))
    collection = bootstrap(lambda cpu: middle(cpu) * _NS / 1000, column(rounds, "ailoop", "collection"))
    result.figures.append(Figure("one collection of all metrics, each interval", collection, "ms"))
    result.checks += list(_checks(rounds))


def _checks(rounds: Rounds) -> list[Check]:
    checks = []
    for name, (_, spans) in (OWN | PEERS).items():
        answers = [answers[name] for answers in rounds if name in answers]
        if not answers:
            continue
        seen = {sum(answer["spans"].values()) for answer in answers}
        checks.append(Check(f"{name}: {spans} spans an exchange", seen == {spans}, f"{sorted(seen)}"))
        checks.append(Check(f"{name}: frames intact", all(answer["frames"] for answer in answers)))
    last = rounds[-1]
    alike = last["ailoop"]["shapes"] == last["sdk"]["shapes"]
    recorded = {name: last["sdk"]["points"][name] for name in last["sdk"]["points"]}
    missing = [name for name in recorded if name not in last["ailoop"]["points"]]
    return [
        *checks,
        Check("the SDK alone records spans of the same attributes and links", alike, _unlike(last)),
        Check("and no measurement that the package does not", not missing, f"{missing}"),
        Check("no fault of the package's own", not any(answers["ailoop"]["faults"] for answers in rounds)),
    ]


def _unlike(last: dict[str, Answer]) -> str:
    ours, theirs = ({tuple(shape) for shape in last[name]["shapes"]} for name in ("ailoop", "sdk"))
    return f"only the package: {sorted(ours - theirs)}, only the SDK: {sorted(theirs - ours)}"


def _difference(cost: np.ndarray, none: np.ndarray) -> float:
    return float(np.median(cost - none)) * _NS


def _ratio(cost: np.ndarray, none: np.ndarray, other: np.ndarray, none_of_other: np.ndarray) -> float:
    return float(np.median(cost - none) / np.median(other - none_of_other))
