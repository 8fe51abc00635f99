"""What starting an interpreter costs."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from tests.benchmarks.bench import Bench
from tests.benchmarks.environments import HOME, OURS, ROOT, plain_variables
from tests.benchmarks.figures import Check, Figure, Result
from tests.benchmarks.statistics import bootstrap, middle

NUMBER = 6
NAME = "startup"
TITLE = "Starting an interpreter"
MOST_OFF, MOST_ON = 1.0, 400.0  # ms
SWITCH = "AILOOP_OTEL_ENABLED"
_START_UP = ("ailoop_otel.pth", "ailoop_otel.start")
_OURS = ("ailoop_otel", "opentelemetry")
_NOTHING = "pass"
# What a server does first, and what no other program does; it need not be installed.
_SERVER = """
try:
    import starlette
except ImportError:
    pass
"""
# With a server's first connection all that was put off is imported and set up.
_SET_UP = f"""{_SERVER}
import asyncio, time
from ailoop_otel import AILoopMiddleware
async def nothing(*_): pass
async def main():
    scope = {{"type": "websocket", "path": "/ws", "headers": [], "client": ("127.0.0.1", 1)}}
    began = time.perf_counter()
    await AILoopMiddleware(nothing)(scope, nothing, nothing)
    print(time.perf_counter() - began)
asyncio.run(main())
"""
Command = tuple[Path, str, Mapping[str, str]]
# Less, more, what the difference is, its limit.
COMPARED: Final = (
    ("without", "with", "the variable not set", MOST_OFF),
    ("off", "on", "the variable set, no server", None),
    ("server off", "server on", "the variable set, a server", MOST_ON),
)


def run(bench: Bench, result: Result) -> None:
    """Interpreters that do nothing, in turn: without the start-up file, with it, with the variable set."""
    installed = bench.environments.python(OURS)
    empty, with_file = (bench.environments.empty(name) for name in ("startup-without", "startup-with"))
    place = next((HOME / "startup-with").glob("lib*/python*/site-packages"))
    for name in _START_UP:
        (place / name).write_text((ROOT / "ailoop_otel" / "startup" / name).read_text())
    on = {SWITCH: "true"}
    commands: dict[str, Command] = {
        "without": (empty, _NOTHING, {}),
        "with": (with_file, _NOTHING, {}),
        "off": (installed, _NOTHING, {}),
        "on": (installed, _NOTHING, on),
        "server off": (installed, _SERVER, {}),
        "server on": (installed, _SERVER, on),
    }
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for number in range(bench.size(100, 20) + 1):
        names = list(commands)
        turn = number % len(names)
        for name in (*names[turn:], *names[:turn]):
            took = start(*commands[name])
            if number:
                times[name].append(took)
    judge(result, times)
    _look(result, installed, on)
    with tempfile.TemporaryDirectory() as folder:
        first = [
            float(_output(installed, _SET_UP, {"AILOOP_OTEL_DIRECTORY": folder})) for _ in range(bench.size(10, 3))
        ]
    spread = bootstrap(lambda seconds: middle(seconds) * 1e3, first)
    result.figures.append(Figure("later: the SDK set up, at the first connection", spread, "ms"))


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
        for less, more, title, most in COMPARED:
            added = bootstrap(_added, column[more], column[less])
            limit = most if kind == "wall" else None
            result.figures.append(Figure(f"added, {title}, {kind}", added, "ms", most=limit))
    bare = bootstrap(lambda seconds: middle(seconds) * 1e3, [wall for wall, _ in times["without"]])
    result.figures.append(Figure("an interpreter without anything", bare, "ms"))


def _look(result: Result, installed: Path, on: Mapping[str, str]) -> None:
    code = f"{_SERVER}\nimport sys; print(sum(n.partition('.')[0] in {_OURS} for n in sys.modules))"
    off, switched_on = (int(_output(installed, code, variables)) for variables in ({}, on))
    result.checks += [
        Check("without the variable no module of ours is imported", off == 0, f"{off}"),
        Check("with it they are", switched_on > 0, f"{switched_on}"),
    ]


def _output(python: Path, code: str, variables: Mapping[str, str]) -> str:
    environment = {**plain_variables(), **variables}
    # Elsewhere, so that what is imported is what was installed.
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [str(python), "-c", code], env=environment, cwd=folder, capture_output=True, text=True, check=True
        )
    return done.stdout


def _added(more: np.ndarray, less: np.ndarray) -> float:
    # The faster quarter: what else the machine does only ever adds, and not to both alike.
    return float(np.percentile(more, 25) - np.percentile(less, 25)) * 1e3
