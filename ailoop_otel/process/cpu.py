"""CPU time of the process."""

from __future__ import annotations

import psutil
from opentelemetry.metrics import Observation

from ailoop_otel import names

_MODE = names.METRIC_CPU_TIME.labels[0]


def observe_cpu_time() -> list[Observation]:
    """CPU seconds since the process began, by mode; without its children, which have numbers of their own."""
    times = psutil.Process().cpu_times()
    return [Observation(times.user, {_MODE: "user"}), Observation(times.system, {_MODE: "system"})]
