"""Run directories, baselines, targets and old CSV files, through the commands that read them."""

from __future__ import annotations

import contextlib
import io
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import strategies as some

from ailoop_otel.measure import Refusal
from ailoop_otel.measure.commands.options import ReportOptions
from ailoop_otel.measure.commands.report import run as run_report
from ailoop_otel.measure.results import storage
from ailoop_otel.measure.results.definitions import DEFINITIONS
from ailoop_otel.measure.results.observations import Observation
from ailoop_otel.measure.verdict import baseline, targets
from ailoop_otel.terminal import Terminal
from tests.fuzz.otlp import ANYTHING, ODD
from tests.fuzz.target import Target

CELLS = ODD.map(str) | some.integers(-5, 50).map(str)
CONTEXTS = some.fixed_dictionaries(
    {"scenario": some.sampled_from(["mixed", "[/]", "ramp"]) | ANYTHING},
    optional={
        "source": ANYTHING, "started_at": ANYTHING, "duration": some.floats(0, 100) | ANYTHING, "machine": ANYTHING,
        "versions": ANYTHING, "server": ANYTHING, "notes": some.lists(some.text(max_size=9), max_size=2) | ANYTHING,
        "settings": some.dictionaries(some.sampled_from(["ramp", "expects", "stable"]), ANYTHING) | ANYTHING,
        "jaeger": ANYTHING,
    },
)  # fmt: skip
HEADS = some.fixed_dictionaries({"format": some.just(1) | ODD, "context": CONTEXTS}, optional={"histograms": ANYTHING})
METRIC_NAMES = some.sampled_from(sorted(DEFINITIONS))


@some.composite
def tables(draw: some.DrawFn) -> str:
    """`observations.csv`, in which some cells hold anything."""
    lines = [",".join(Observation._fields)]
    for number in range(draw(some.integers(0, 12))):
        metric = draw(METRIC_NAMES)
        cells = [
            metric,
            "0.5",
            DEFINITIONS[metric].unit,
            str(number),
            "ok",
            "run",
            "1",
            str(number),
            "ab" * 16,
            "",
            "0",
        ]
        for place in draw(some.lists(some.integers(0, len(cells) - 1), max_size=1)):
            cells[place] = draw(CELLS)
        lines.append(",".join(cells))
    return "\n".join(lines) + "\n"


@some.composite
def old_files(draw: some.DrawFn) -> str:
    """A CSV file of the old tests, nearly."""
    row = some.sampled_from(
        ["start_session,0.002", "user_msg_1,0.1", "user_msg_0_1,0.2", "timeout_trigger,10",
         "memory_current,memory_peak", "2600000,2633000", "error_type,count", "Timeout,5", '"a', "\0", "x,y,z"]
    ) | some.tuples(CELLS, CELLS).map(",".join)  # fmt: skip
    return "\n".join(["event,latency", *draw(some.lists(row, max_size=10))])


TARGETS = some.dictionaries(METRIC_NAMES | some.text(max_size=3), some.dictionaries(some.sampled_from(
    ["p95", "value", "tolerance", "mean"]), some.sampled_from(['"2 s"', "5", '">= 1 s"', '""', "[]", "nan"]), max_size=2
), max_size=2)  # fmt: skip
BASELINES = some.fixed_dictionaries(
    {"format": some.just(1) | ODD, "context": CONTEXTS},
    optional={"metrics": some.dictionaries(METRIC_NAMES, some.fixed_dictionaries({
        "unit": some.just("s") | ODD, "value": some.lists(some.floats(0, 9) | ODD, max_size=3),
        "at": some.lists(some.floats(0, 9) | ODD, max_size=3), "outcome": some.lists(some.just("ok"), max_size=3),
        "phase": some.lists(some.just("run"), max_size=3),
    }), max_size=2) | ANYTHING},
)  # fmt: skip


@dataclass(frozen=True)
class Example:
    """What is read, and its content."""

    kind: str
    head: Any
    table: str


def check(example: Example) -> None:
    """It is read and reported, or refused."""
    with tempfile.TemporaryDirectory() as name, contextlib.suppress(Refusal):
        _READERS[example.kind](Path(name), example)


def _report(place: Path, legacy: bool) -> None:
    console = Terminal(file=io.StringIO(), width=100, legacy_windows=False, _environ={})
    run_report(ReportOptions([place], legacy=legacy), console)


def _run(place: Path, example: Example) -> None:
    (place / storage.RUN).write_text(json.dumps(example.head))
    (place / storage.TABLE).write_text(example.table, errors="replace")
    _report(place, legacy=False)


def _old(place: Path, example: Example) -> None:
    (place / "old.csv").write_text(example.table, errors="replace")
    _report(place / "old.csv", legacy=True)


def _baseline(place: Path, example: Example) -> None:
    (place / "baseline.json").write_text(json.dumps(example.head))
    baseline.load(place / "baseline.json")


def _targets(place: Path, example: Example) -> None:
    text = "".join(
        f"[{json.dumps(metric)}]\n" + "".join(f"{figure} = {value}\n" for figure, value in table.items())
        for metric, table in example.head.items()
    )
    (place / "targets.toml").write_text(text, errors="replace")
    targets.load(place / "targets.toml", "mixed")


_READERS: dict[str, Callable[[Path, Example], None]] = {
    "run": _run,
    "old": _old,
    "baseline": _baseline,
    "targets": _targets,
}
TARGET = Target(
    "runs",
    "measure/results, legacy and verdict",
    some.builds(Example, some.just("run"), HEADS, tables())
    | some.builds(Example, some.just("old"), some.none(), old_files())
    | some.builds(Example, some.just("baseline"), BASELINES, some.just(""))
    | some.builds(Example, some.just("targets"), TARGETS, some.just("")),
    check,
    random=3_000,
)
