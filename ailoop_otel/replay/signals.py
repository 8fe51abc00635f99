"""The three signals as OTLP/HTTP and its JSON name them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Signal:
    """One signal: its name in URLs, the members that lead to its records, and what a collector calls rejected ones."""

    name: str
    record: str
    members: tuple[str, str, str]
    rejected: str


TRACES: Final = Signal("traces", "span", ("resourceSpans", "scopeSpans", "spans"), "rejectedSpans")
METRICS: Final = Signal("metrics", "metric", ("resourceMetrics", "scopeMetrics", "metrics"), "rejectedDataPoints")
LOGS: Final = Signal("logs", "log record", ("resourceLogs", "scopeLogs", "logRecords"), "rejectedLogRecords")
SIGNALS: Final = {signal.name: signal for signal in (TRACES, METRICS, LOGS)}
