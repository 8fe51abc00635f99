"""What a span costs on its whole way to the backend."""

from __future__ import annotations

import re
import tempfile
import time
from pathlib import Path

import numpy as np
import requests

from collector.stack import MissingProgram, Program, Stack, StartError, free_ports
from tests.benchmarks.bench import Bench
from tests.benchmarks.environments import OURS
from tests.benchmarks.figures import Check, Figure, Result, Spread
from tests.benchmarks.measured import Answer, Measured
from tests.benchmarks.statistics import bootstrap

NUMBER = 7
NAME = "export"
TITLE = "Spans to a real collector and Jaeger"
SPANS = 3  # of an exchange
_CHUNKS = 10
_ACCEPTED = "otelcol_receiver_accepted_spans"
_PATIENCE = 30.0  # seconds


def run(bench: Bench, result: Result) -> None:
    """Exchanges as fast as they go, then until the last span is stored."""
    ports = free_ports()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        try:
            stack = Stack(Path(folder), ports, with_prometheus=False, notify=bench.say)
            stack.start()
        except (MissingProgram, StartError) as fault:
            result.notes.append(f"not run: {fault}")
            return
        try:
            _measure(bench, result, stack)
        finally:
            stack.stop()


def _measure(bench: Bench, result: Result, stack: Stack) -> None:
    python = bench.environments.python(OURS)
    ports = {"collector": stack.ports.collector_telemetry, "Jaeger": stack.ports.jaeger_telemetry}
    programs = {"collector": stack.collector, "Jaeger": stack.jaeger}
    exchanges, rounds = bench.size(2_000, 300), bench.size(8, 3)
    variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": stack.ports.otlp}
    with Measured(python, "ailoop:network", variables) as ours, Measured(python, "nothing") as nothing:
        ours.ask("exchanges", exchanges=exchanges, chunks=_CHUNKS)
        idle = _idle(programs)
        # That of the first exchanges has all arrived by now.
        accepted = {name: _total(port) for name, port in ports.items()}
        used = {name: program.usage[0] for name, program in programs.items()}
        began = time.monotonic()
        mine = [ours.ask("exchanges", exchanges=exchanges, chunks=_CHUNKS) for _ in range(rounds)]
        at_least = rounds * exchanges * SPANS
        arrived = {name: _arrived(port, accepted[name], at_least) for name, port in ports.items()}
        took = time.monotonic() - began
        busy = {name: program.usage[0] - used[name] - idle[name] * took for name, program in programs.items()}
        none = [nothing.ask("exchanges", exchanges=exchanges, chunks=_CHUNKS) for _ in range(rounds)]
    judge(result, mine, none, {name: busy[name] / arrived[name] for name in busy})
    for name, spans in arrived.items():
        result.checks.append(Check(f"every span reached {name}", spans >= at_least, f"{spans:.0f} of {at_least}"))


def judge(result: Result, mine: list[Answer], none: list[Answer], programs: dict[str, float]) -> None:
    """Rates and costs; `programs` is the CPU seconds of a span in each program."""
    walls = [answer["wall"] for answer in mine]
    rate = bootstrap(lambda walls: float(SPANS / np.median(walls)) * 1e9, walls)
    cpu = bootstrap(
        lambda cpu, none: float(np.median(cpu) - np.median(none)) / SPANS / 1e3,
        [answer["cpu"] for answer in mine],
        [answer["cpu"] for answer in none],
    )
    elsewhere = {name: seconds * 1e6 for name, seconds in programs.items()}
    total = sum(elsewhere.values())
    low, high = cpu.low or cpu.value, cpu.high or cpu.value
    result.figures += [
        Figure("recorded, encoded and sent by one process", rate, "spans/s"),
        Figure("CPU of a span in the server's process", cpu, "µs"),
        *(Figure(f"CPU of a span in {name}", Spread(cost), "µs") for name, cost in elsewhere.items()),
        Figure("CPU of a span end to end", Spread(cpu.value + total, low + total, high + total), "µs"),
    ]
    result.checks.append(Check("frames intact", all(answer["frames"] for answer in (*mine, *none))))


def _idle(programs: dict[str, Program]) -> dict[str, float]:
    """What share of a core each takes when nobody sends; long enough for what is still on its way to arrive."""
    time.sleep(3.0)
    before = {name: program.usage[0] for name, program in programs.items()}
    time.sleep(3.0)
    return {name: (program.usage[0] - before[name]) / 3.0 for name, program in programs.items()}


def _arrived(port: int, before: float, at_least: int) -> float:
    """How many spans it has taken since; waits for so many."""
    deadline = time.monotonic() + _PATIENCE
    while (arrived := _total(port) - before) < at_least and time.monotonic() < deadline:
        time.sleep(0.1)
    return arrived


def _total(port: int) -> float:
    text = requests.get(f"http://127.0.0.1:{port}/metrics", timeout=5).text
    lines = re.findall(rf"^{_ACCEPTED}(?:_total)?(?:__spans__total)?\{{.*\}} (\S+)$", text, re.MULTILINE)
    return sum(map(float, lines))
