"""What a process needs in memory beyond what the OpenTelemetry SDK needs alone."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

import numpy as np

from tests.benchmarks.bench import Bench
from tests.benchmarks.environments import plain_variables
from tests.benchmarks.figures import Check, Figure, Result
from tests.benchmarks.starting import SDK, SWITCH, WEIGH, server
from tests.benchmarks.statistics import bootstrap
from tests.export.collector import Collector

NUMBER = 8
NAME = "memory"
TITLE = "Memory of a process"
MOST = 2.0  # MB beyond the SDK alone
WAYS: Final = {"files": "into files", "otlp": "by OTLP over HTTP"}
# Resident, and what nobody shares: https://man7.org/linux/man-pages/man5/proc_pid_smaps.5.html
KINDS: Final = {"Rss": "resident", "Private_Dirty": "private"}
Weight = dict[str, float]


def run(bench: Bench, result: Result) -> None:
    """Servers that have started, in turn: without telemetry, with the SDK alone, with the package."""
    if not Path("/proc/self/smaps_rollup").exists():
        result.notes.append("not run: this system does not tell what a process has for itself")
        return
    weights: dict[str, list[Weight]] = {}
    with closing(Collector()) as collector:
        targets = {"files": {}, "otlp": {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}}
        programs = {"nothing": (server(started=WEIGH), {})}
        for way, target in targets.items():
            programs[f"{way} sdk"] = (server(SDK[way], WEIGH), target)
            programs[f"{way} ours"] = (server(started=WEIGH), {**target, SWITCH: "true"})
        for number in range(bench.size(11, 3) + 1):
            for name, (code, variables) in programs.items():
                weight = _weigh(code, variables)
                # The first writes the bytecode, and compiling takes memory.
                if number:
                    weights.setdefault(name, []).append(weight)
    judge(result, weights)


def _weigh(code: str, variables: Mapping[str, str]) -> Weight:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        environment = {**plain_variables(), "AILOOP_OTEL_DIRECTORY": f"{folder}/telemetry", **variables}
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, timeout=120
        )
    kilobytes = dict(re.findall(r"^(\w+): +(\d+) kB$", done.stdout, re.MULTILINE))
    return {kind: int(kilobytes[kind]) * 1024 / 1e6 for kind in KINDS}


def judge(result: Result, weights: Mapping[str, Sequence[Weight]]) -> None:
    """Differences of medians, MB."""
    for kind, word in KINDS.items():
        column = {name: [each[kind] for each in many] for name, many in weights.items()}
        result.figures.append(
            Figure(f"a server without telemetry, {word}", bootstrap(_middle, column["nothing"]), "MB")
        )
        for way, told in WAYS.items():
            alone, ours = column[f"{way} sdk"], column[f"{way} ours"]
            added = bootstrap(_added, alone, column["nothing"])
            result.figures.append(Figure(f"added by the SDK {told}, {word}", added, "MB"))
            beyond = bootstrap(_added, ours, alone)
            result.figures.append(Figure(f"beyond the SDK {told}, {word}", beyond, "MB", most=MOST))
    heavier = all(np.median([w["Rss"] for w in weights[f"{way} sdk"]]) > _middle([w["Rss"] for w in weights["nothing"]])
                  for way in WAYS)  # fmt: skip
    result.checks.append(Check("the SDK was set up", heavier))


def _middle(sample: Sequence[float]) -> float:
    return float(np.median(sample))


def _added(more: np.ndarray, less: np.ndarray) -> float:
    return float(np.median(more) - np.median(less))
