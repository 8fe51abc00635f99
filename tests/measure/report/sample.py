"""Sample runs, generated from a seed: with every kind of data that a report shows."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hdrh.histogram import HdrHistogram

from ailoop_otel.measure.results import definitions
from ailoop_otel.measure.results.level_figures import LevelFigures
from ailoop_otel.measure.results.observations import Observation, observed
from ailoop_otel.measure.results.run import Context, Run
from ailoop_otel.measure.verdict.verdict import Judged, Judgement, Verdict

CONTEXT = Context(
    scenario="mixed",
    started_at="2025-11-22T18:04:23.120Z",
    duration=300.0,
    machine={
        "processor": "AMD EPYC 7763",
        "cores": 8,
        "cores_usable": 4.0,
        "memory": 33_554_432_000,
        "system": "Linux",
    },
    versions={"ailoop-otel": "0.9.0", "python": "3.12.4", "websockets": "15.0"},
    settings={"load": {"model": "open", "rate": 8.0}, "warm_up": "10 s", "sessions": [1, 40]},
    server={"url": "ws://127.0.0.1:8000/ws", "dialect": "stateless", "pid": 4711, "instrumented": True},
    notes=("The load generator was late by more than 10 ms for 1.2 % of the messages.",),
    jaeger="http://127.0.0.1:16686",
    levels=tuple(
        LevelFigures(
            float(load),
            load,
            20.0,
            4 * load,
            0.2 * load,
            0.2 * load,
            0.19 * load,
            5.0,
            0.28,
            first,
            1.9,
            first + 3.0,
            held=held,
            missed=missed,
            not_put_on="",
        )
        for load, first, held, missed in (
            (11, 0.5, False, ""),
            (22, 0.6, False, ""),
            (33, 0.9, False, ""),
            (40, math.inf, False, "too slow"),
            (33, 0.8, True, ""),
        )
    ),
)
FAILURES = ("ai_timeout", "ai_error", "disconnected", "protocol_error")


def mixed(exchanges: int = 2400, seed: int = 7, failing: float = 0.03) -> Run:
    """A ramp to 40 sessions and a hold, with failures, memory, gaps, timeouts, and the server's own telemetry."""
    dice = random.Random(seed)
    rows: list[Observation] = []
    gaps = HdrHistogram(1, 3_600_000_000, 3)
    seconds = CONTEXT.duration
    for number in range(exchanges):
        rows += _exchange(number, seconds * number / exchanges, dice, gaps, failing)
    rows += [observed(definitions.FIRST_CHUNK, 3.0, -2.0 + number / 10, phase="warmup") for number in range(12)]
    rows += _resources(seconds, dice)
    rows += sessions(40, dice)
    held = [row.failed for row in rows if row.metric == "completion" and row.phase == "hold"]
    if held:
        rows += whole(message_rate=held.count(False) / 100.0, error_rate=1000 * sum(held) / len(held))
    rows += whole(stable_sessions=33.0, memory_per_session=1.34e6, memory_growth=1520.0)
    return Run(CONTEXT, sorted(rows, key=lambda row: row.at), {"chunk_gap": gaps})


def steps() -> Run:
    """A run of tests: steps that share a metric and nothing else."""
    dice = random.Random(3)
    rows = [
        observed(definitions.STEP, dice.lognormvariate(math.log(typical), 0.2), float(number), label=label)
        for number in range(40)
        for label, typical in (("log in", 0.002), ("first answer", 0.4), ("long answer", 8.0))
    ]
    return Run(Context("test_chat.py", source="tests"), rows)


def few(*values: float, outcome: str = "ok", **more: Any) -> Run:
    """A run with one exchange for each first-chunk time in seconds; NaN is an answer that never came."""
    rows = [
        observed(definitions.FIRST_CHUNK, value, float(number), outcome=outcome, exchange=number, **more)
        for number, value in enumerate(values)
    ]
    return Run(Context("few"), rows)


def judgement() -> Judgement:
    """One figure of each verdict, against targets and a baseline, one without an interval, one without bounds."""
    method = "95 % intervals: block bootstrap; a failure counts as infinitely slow."
    rows = (
        Judged("first_chunk", "s", "p95", 0.912, 0.841, 1.02, Verdict.PASS,
               "912 ms (841 ms to 1.02 s), the most is 2 s", target=2.0, n=2400),
        Judged("completion", "s", "p95", 5.1, 4.6, 5.9, Verdict.FAIL, "25 % slower, 10 % is allowed", reference=4.08,
               change=0.25, change_low=0.17, change_high=0.34, allowed=0.1, n=2400, reference_n=2380),
        Judged("completion", "s", "p99", math.inf, 9.5, math.inf, Verdict.FAIL, "∞, the most is 10 s", target=10.0),
        Judged("message_rate", "{message}/s", "value", 7.76, 7.5, 8.0, Verdict.INCONCLUSIVE,
               "3 % fewer (−6 % to +1 %), which holds the 5 % that are allowed", reference=8.0, change=-0.03,
               change_low=-0.06, change_high=0.01, allowed=0.05),
        Judged("server_memory", "By", "max", 3.1e8, math.nan, math.nan, Verdict.PASS, "310 MB, the most is 500 MB",
               target=5e8),
    )  # fmt: skip
    return Judgement(rows, Verdict.FAIL, ("the baseline was made with python 3.12.3",), method)


def whole(**values: float) -> list[Observation]:
    """Figures of the whole run, by their metrics' names."""
    return [observed(definitions.DEFINITIONS[name], value, 0.0) for name, value in values.items()]


def sessions(number: int, dice: random.Random) -> list[Observation]:
    """Sessions that started and ended; two of them were disconnected."""
    rows = []
    for each in range(number):
        outcome = "disconnected" if each in (3, 17) else "ok"
        rows.append(observed(definitions.SESSION_START, dice.uniform(0.001, 0.004), each * 4.0, session=each,
                             outcome=outcome))  # fmt: skip
        rows.append(observed(definitions.SESSION_DURATION, 300 - each * 4.0, each * 4.0, session=each, outcome=outcome))
    return rows


def relabelled(run: Run, context: Context | None = None, **replaced: Any) -> Run:
    """The same run with other fields in its context."""
    return replace(run, context=replace(context or run.context, **replaced))


def _connected(at: float) -> int:
    return 1 + int(min(at, 200.0) // 5)


def _exchange(number: int, at: float, dice: random.Random, gaps: HdrHistogram, failing: float) -> Sequence[Observation]:
    crowd = max(0, _connected(at) - 30)
    first = dice.lognormvariate(math.log(0.28), 0.35) * (1 + crowd * 0.12) + (2.0 if 148 < at < 150 else 0.0)
    complete = first + dice.lognormvariate(math.log(1.6), 0.5)
    outcome = dice.choices(FAILURES, (6, 3, 2, 1))[0] if dice.random() < failing * (1 + crowd / 4) else "ok"
    place: dict[str, Any] = {
        "at": at, "outcome": outcome, "session": number % _connected(at), "exchange": number,
        "phase": "ramp" if at < 200 else "hold", "trace_id": f"{number + 1:032x}", "process": number % 2,
    }  # fmt: skip
    for _ in range(dice.randrange(4, 30)):
        gaps.record_value(int(1e6 * dice.lognormvariate(math.log(0.03), 0.8)))
    if outcome == "ai_timeout":
        return _timeout(place, dice)
    longest = dice.lognormvariate(math.log(0.2), 0.5)
    wait = dice.expovariate(1 / 0.01)
    return [
        observed(definitions.FIRST_CHUNK, math.nan if outcome == "protocol_error" else first, **place),
        observed(definitions.COMPLETION, math.nan if outcome == "disconnected" else complete, **place),
        observed(definitions.SEND_DELAY, dice.expovariate(1 / 0.0004), **place),
        observed(definitions.LONGEST_GAP, longest, **place),
        observed(definitions.SERVER_FIRST_CHUNK, first * 0.98 - 0.002, **place),
        observed(definitions.SERVER_COMPLETION, complete - 0.004, **place),
        observed(definitions.FIRST_CHUNK_DIFFERENCE, first * 0.02 + 0.002 + wait, **place),
    ]


def _timeout(place: dict[str, Any], dice: random.Random) -> list[Observation]:
    detected = 10 + dice.uniform(0.001, 0.02)
    reported = detected + dice.uniform(0.001, 0.03)
    phase = dice.choice(("first_chunk", "stall"))
    return [
        observed(definitions.FIRST_CHUNK, math.nan, **place),
        observed(definitions.COMPLETION, reported, **place),
        observed(definitions.TIMEOUT_DETECTED, detected, label=phase, **place),
        observed(definitions.DETECTION_DELAY, detected - 10, label=phase, **place),
        observed(definitions.TIMEOUT_TOLD, reported, **place),
        observed(definitions.REPORT_DELAY, reported - detected, label=phase, **place),
    ]


def _resources(seconds: float, dice: random.Random) -> list[Observation]:
    rows = []
    for at in range(int(seconds)):
        crowd = _connected(at)
        phase: Any = "ramp" if at < 200 else "hold"
        rows.append(observed(definitions.MEMORY, 2.1e8 + crowd * 1.34e6 + at * 1520 + dice.uniform(0, 4e6), float(at),
                             phase=phase))  # fmt: skip
        rows.append(observed(definitions.SESSIONS, crowd, float(at), phase=phase))
        rows.append(observed(definitions.CPU, 0.05 + crowd * 0.011 + dice.uniform(0, 0.05), float(at), phase=phase))
    return rows
