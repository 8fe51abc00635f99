"""Runs with latencies as servers have them: skewed, alike from one moment to the next, with outliers."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np

from ailoop_otel.measure.results.definitions import COMPLETION, ERROR_RATE, FIRST_CHUNK, RATE, SEND_DELAY
from ailoop_otel.measure.results.observations import Observation, observed
from ailoop_otel.measure.results.run import Context, Run

RATE_PER_SECOND = 40.0


def latencies(
    seed: int, n: int, median: float = 0.1, sigma: float = 0.08, memory: float = 0.6, outliers: float = 0.01
) -> np.ndarray[Any, Any]:
    """Lognormal, each like the one before it (AR(1) with `memory`), some three times as slow."""
    generator = np.random.default_rng(seed)
    noise = generator.normal(size=n)
    state = np.empty(n)
    state[0] = noise[0]
    for step in range(1, n):
        state[step] = memory * state[step - 1] + math.sqrt(1 - memory**2) * noise[step]
    slow = np.where(generator.random(n) < outliers, 3.0, 1.0)
    found: np.ndarray[Any, Any] = median * np.exp(sigma * state) * slow
    return found


@cache  # no test changes a run
def run(seed: int, n: int = 400, slower: float = 1.0, failing: float = 0.0, **shape: float) -> Run:
    """A run of n exchanges at 40 a second; `failing` is the share that fails, `slower` a factor."""
    first = latencies(seed, n, **shape) * slower
    generator = np.random.default_rng(seed + 10_000)
    rest = 0.05 * slower * np.exp(0.05 * generator.normal(size=n))
    failed = generator.random(n) < failing
    rows: list[Observation] = []
    for number in range(n):
        at, outcome = number / RATE_PER_SECOND, "ai_error" if failed[number] else "ok"
        about: dict[str, Any] = {"outcome": outcome, "exchange": number}
        rows += [
            observed(FIRST_CHUNK, math.nan if failed[number] else float(first[number]), at, **about),
            observed(COMPLETION, float(first[number] + rest[number]), at, **about),
            observed(SEND_DELAY, float(generator.exponential(0.0003)), at, exchange=number),
        ]
    duration = n / RATE_PER_SECOND
    rows.append(observed(RATE, float((~failed).sum() / duration), duration))
    rows.append(observed(ERROR_RATE, float(1000 * failed.mean()), duration))
    return Run(Context("throughput", duration=duration), rows)
