"""What starting an interpreter costs."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from tests.benchmarks.bench import Bench
from tests.benchmarks.environments import HOME, OURS, ROOT, plain_variables
from tests.benchmarks.figures import Check, Figure, Result
from tests.benchmarks.starting import IMPORTS, SWITCH, server
from tests.benchmarks.statistics import bootstrap, middle

NUMBER = 6
NAME = "startup"
TITLE = "Starting an interpreter"
MOST_OFF, MOST_NO_SERVER = 1.0, 20.0  # ms
MOST_SERVER = 0.5  # of what the web framework's own import takes
_START_UP = ("ailoop_otel.pth", "ailoop_otel.start")
_HEAVY = ("opentelemetry", "wrapt")
_NOTHING = "pass"
_FRAMEWORK = "import starlette.applications"
Command = tuple[Path, str, Mapping[str, str]]
# Less, more, what the difference is, its limit on the wall, its limit of CPU.
COMPARED: Final = (
    ("without", "with", "the variable not set", MOST_OFF, None),
    ("off", "on", "the variable set, a program", None, None),
    ("framework off", "framework on", "the variable set, the web framework imported", None, MOST_NO_SERVER),
    ("server off", "server on", "the variable set, a server", None, None),
    ("server off", "server otlp", "the variable set, a server that sends OTLP", None, None),
)


def run(bench: Bench, result: Result) -> None:
    """Interpreters in turn: without the start-up file, with it, with the variable set; and small servers that start."""
    installed, here = bench.environments.python(OURS), Path(sys.executable)
    empty, with_file = (bench.environments.empty(name) for name in ("startup-without", "startup-with"))
    place = next((HOME / "startup-with").glob("lib*/python*/site-packages"))
    for name in _START_UP:
        (place / name).write_text((ROOT / "ailoop_otel" / "startup" / name).read_text())
    on = {SWITCH: "true"}
    light: dict[str, Command] = {
        "without": (empty, _NOTHING, {}),
        "with": (with_file, _NOTHING, {}),
        "off": (installed, _NOTHING, {}),
        "on": (installed, _NOTHING, on),
        "framework off": (here, _FRAMEWORK, {}),
        "framework on": (here, _FRAMEWORK, on),
    }
    # The framework and all servers with the same packages, those of this environment.
    heavy: dict[str, Command] = {
        "nothing": (here, _NOTHING, {}),
        "imports": (here, IMPORTS, {}),
        "server off": (here, server(), {}),
        "server on": (here, server(), on),
        "server otlp": (here, server(), {**on, "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}),
    }
    judge(result, {**_times(light, bench.size(60, 15)), **_times(heavy, bench.size(30, 6))})
    _look(result, here, on)


def _times(commands: Mapping[str, Command], rounds: int) -> dict[str, list[tuple[float, float]]]:
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for number in range(rounds + 1):
        names = list(commands)
        turn = number % len(names)
        for name in (*names[turn:], *names[:turn]):
            took = start(*commands[name])
            # The first writes the bytecode.
            if number:
                times[name].append(took)
    return times


def start(python: Path, code: str, variables: Mapping[str, str]) -> tuple[float, float]:
    """Start one and wait for its end; seconds on the wall, and of CPU."""
    began = time.perf_counter()
    child = os.posix_spawn(python, [str(python), "-c", code], {**plain_variables(), **variables})
    _, status, used = os.wait4(child, 0)
    took = time.perf_counter() - began
    if status:
        raise RuntimeError(f"{python} -c {code!r} ended with {status}")
    return took, used.ru_utime + used.ru_stime


def judge(result: Result, times: Mapping[str, Sequence[tuple[float, float]]]) -> None:
    """Differences of the same turn."""
    for position, kind in enumerate(("wall", "CPU")):
        column = {name: [took[position] for took in each] for name, each in times.items()}
        for less, more, title, *limits in COMPARED:
            added = bootstrap(_added, column[more], column[less])
            result.figures.append(Figure(f"added, {title}, {kind}", added, "ms", most=limits[position]))
    cpu = {name: [each for _, each in took] for name, took in times.items()}
    for server_name, title in (("server on", "a server"), ("server otlp", "a server that sends OTLP")):
        share = bootstrap(_share, cpu[server_name], cpu["server off"], cpu["imports"], cpu["nothing"])
        limit = MOST_SERVER if server_name == "server on" else None
        name = f"added CPU of {title}, times that of `{IMPORTS}`"
        result.figures.append(Figure(name, share, "×", most=limit))
    bare = bootstrap(lambda seconds: middle(seconds) * 1e3, [wall for wall, _ in times["without"]])
    result.figures.append(Figure("an interpreter without anything", bare, "ms"))


def _look(result: Result, python: Path, on: Mapping[str, str]) -> None:
    code = f"{_FRAMEWORK}\nimport sys; print(*[n for n in sys.modules if n.startswith(('ailoop_otel', *{_HEAVY}))])"
    off, waiting = (_output(python, code, variables).split() for variables in ({}, on))
    heavy = [name for name in waiting if name.startswith(_HEAVY)]
    running = server(started=f"import sys; print(*[n for n in sys.modules if n.startswith({_HEAVY})], flush=True)")
    with tempfile.TemporaryDirectory() as folder:
        served = _output(python, running, {**on, "AILOOP_OTEL_DIRECTORY": folder}).split()
    result.checks += [
        Check("without the variable no module of ours is imported", not off, " ".join(off)),
        Check("without a server none of OpenTelemetry is", not heavy, " ".join(heavy)),
        Check("in a server they are", "opentelemetry.sdk.trace" in served),
    ]


def _output(python: Path, code: str, variables: Mapping[str, str]) -> str:
    environment = {**plain_variables(), **variables}
    # Elsewhere, so that what is imported is what was installed.
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [str(python), "-c", code], env=environment, cwd=folder, capture_output=True, text=True, check=True
        )
    return done.stdout


def _share(more: np.ndarray, less: np.ndarray, imports: np.ndarray, nothing: np.ndarray) -> float:
    return _added(more, less) / _added(imports, nothing)


def _added(more: np.ndarray, less: np.ndarray) -> float:
    # The faster quarter: what else the machine does only ever adds, and not to both alike.
    return float(np.percentile(more, 25) - np.percentile(less, 25)) * 1e3
