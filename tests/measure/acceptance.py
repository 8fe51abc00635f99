"""Does the verdict hold what it promises? The same server against itself, and one that is a fifth slower.

    python -m tests.measure.acceptance [--times 20] [--seconds N] [--server standin]

Each time three real runs follow each other: a baseline, the same server again, and a slower one. The same never fails
and passes at least 16 times of 20; the slower never passes and fails at least 5 times, since single runs do not know
how runs differ; the rest is inconclusive.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from ailoop_otel.measure.load import scenario
from ailoop_otel.measure.load.campaign import measure
from ailoop_otel.measure.load.scenario import Scenario
from ailoop_otel.measure.results.run import Run
from ailoop_otel.measure.verdict.judge import judge
from ailoop_otel.measure.verdict.verdict import Judgement, Verdict
from tests.ailoop.process import STATELESS, serving, standin
from tests.ailoop.provider import Provider
from tests.measure.scripted_server import LOOPBACK, scripted

SLOWER = 1.2
# The shares of times that must have the verdict that is right.
SAME_PASSES, SLOWER_FAILS = 0.8, 0.25
SETTINGS = ("sessions=30", "warmup=0.4", "opening=1000")


@dataclass
class VerdictCounts:
    """The verdicts on the same server, and on the slower one."""

    same: Counter[Verdict] = field(default_factory=Counter)
    slower: Counter[Verdict] = field(default_factory=Counter)
    reasons: list[str] = field(default_factory=list)

    def holds(self) -> bool:
        """Whether the verdicts are as promised."""
        return (
            not (self.same[Verdict.FAIL] or self.slower[Verdict.PASS])
            and self.same[Verdict.PASS] >= SAME_PASSES * self.same.total()
            and self.slower[Verdict.FAIL] >= SLOWER_FAILS * self.slower.total()
        )


def scripted_run(number: int, factor: float, seconds: float) -> Run:
    """A run against a server process of its own, with latencies that spread by a tenth around 200 ms."""
    with scripted(first=0.2 * factor, spread=0.1, chunks=2, gap=0.02 * factor, seed=number) as server:
        return measure(short(seconds, "Hello."), server.url, pid=server.pid)


def standin_run(number: int, factor: float, seconds: float) -> Run:
    """A run against a stand-in AILoop server of its own, whose AI takes 800 ms to begin."""
    message = f"[[say chunks=3 delay={0.8 * factor:.3f} gap={0.02 * factor:.4f}]]"
    with Provider() as provider, serving(standin(STATELESS), provider.plain_environment()) as server:
        url = f"ws://{LOOPBACK}:{server.port}/ws"
        return measure(short(seconds, message), url, pid=server.pid)


def short(seconds: float, message: str) -> Scenario:
    """The shipped scenario of the closed loop, as short as a test can wait for."""
    return scenario.load("throughput", [*SETTINGS, f"duration={seconds}"], [message])


# With how many seconds a run takes at least, for a machine that is busy with other things too.
SERVERS: dict[str, tuple[Callable[[int, float, float], Run], float]] = {
    "scripted": (scripted_run, 2.0),
    "standin": (standin_run, 5.0),
}


def repeat(
    times: int, run: Callable[[int, float], Run], report: Callable[[str], None] = lambda line: None
) -> VerdictCounts:
    """Judge `times` times; reports one line for each time."""
    found = VerdictCounts()
    for number in range(times):
        baseline = run(3 * number, 1.0)
        same = judge(run(3 * number + 1, 1.0), baseline)
        slower = judge(run(3 * number + 2, SLOWER), baseline)
        found.same[same.verdict] += 1
        found.slower[slower.verdict] += 1
        found.reasons += [*_reasons("same", same, Verdict.PASS), *_reasons("slower", slower, Verdict.FAIL)]
        report(f"{number + 1:3}  same {same.verdict.value:12}  slower {slower.verdict.value}")
    return found


def _reasons(name: str, judgement: Judgement, right: Verdict) -> list[str]:
    """Why it was not what is right, figure by figure; of an inconclusive one there must be a reason."""
    if judgement.verdict is right:
        return []
    rows = [row for row in judgement.rows if row.verdict is judgement.verdict]
    assert rows, f"{judgement.verdict} without a reason"
    return [f"{name}: {row.verdict.value}: {row.metric} {row.figure} {row.reason}" for row in rows]


def main() -> int:
    """Run it and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--seconds", type=float, help="How long each run is.")
    parser.add_argument("--server", choices=SERVERS, default="scripted")
    options = parser.parse_args()
    run, seconds = SERVERS[options.server]
    found = repeat(options.times, lambda number, factor: run(number, factor, options.seconds or seconds), _print)
    for name, counts in (("same", found.same), ("slower", found.slower)):
        _print(f"{name}: {', '.join(f'{count} {verdict.value}' for verdict, count in counts.items())}")
    for reason in found.reasons:
        _print(reason)
    return 0 if found.holds() else 1


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
