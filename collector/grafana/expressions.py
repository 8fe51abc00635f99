"""Queries that many panels have in common; each series is called by the labels that it is split by."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

# The servers that are chosen; the service as it is called in what is recorded, and in the collector's span metrics.
SERVERS: Final = 'job="$job", instance=~"$instance"'
SERVICE: Final = 'job="$job"'
# A report's percentiles leave failures out, and so do the panels'.
OK: Final = 'ailoop_exchange_outcome="ok"'
SPANS: Final = 'service_name="$job"'
CALLS: Final = "ailoop_spans_calls_total"
TARGET: Final = "target"


@dataclass(frozen=True)
class Query:
    """One expression with what its series are called; `exemplars` are dots that lead into Jaeger."""

    expression: str
    legend: str = ""
    exemplars: bool = False

    def called(self, legend: str) -> Query:
        """The same with another legend."""
        return replace(self, legend=legend)

    @property
    def pointed(self) -> Query:
        """The same with exemplars."""
        return replace(self, exemplars=True)


def target(name: str) -> Query:
    """A target as a line of its own."""
    return Query(f"ailoop:target:{name}", TARGET)


def now(metric: str, by: str = "") -> Query:
    """A gauge, added up over servers, or by labels."""
    return Query(f"{_sum(by)} ({metric}{{{SERVERS}}})", _legend(by))


def per_second(metric: str, by: str = "", chosen: str = SERVERS) -> Query:
    """How fast a counter rises."""
    return Query(f"{_sum(by)} (rate({metric}{{{chosen}}}[$__rate_interval]))", _legend(by))


def per_minute(metric: str, by: str = "", chosen: str = SERVERS) -> Query:
    """How many a minute: small numbers are easier to read so."""
    return Query(f"60 * {per_second(metric, by, chosen).expression}", _legend(by))


def shown(metric: str, by: str = "") -> Query:
    """By how much a counter rose in all the time shown."""
    return Query(f"{_sum(by)} (increase({metric}{{{SERVERS}}}[$__range]))", _legend(by))


def quantile(share: float, histogram: str, by: str = "", chosen: str = SERVERS) -> Query:
    """A percentile of a histogram."""
    rate = per_second(f"{histogram}_bucket", f"{by}, le" if by else "le", chosen).expression
    return Query(f"histogram_quantile({share}, {rate})", _legend(by) or f"p{share * 100:.0f}")


def buckets(histogram: str, chosen: str = SERVERS) -> Query:
    """A histogram's buckets, for a heatmap."""
    return Query(f"sum by (le) (increase({histogram}_bucket{{{chosen}}}[$__rate_interval]))", "{{le}}", True)


def mean(histogram: str, by: str) -> Query:
    """A histogram's mean; nothing where nothing was measured."""
    total, count = (per_second(f"{histogram}_{part}", by).expression for part in ("sum", "count"))
    return Query(f"{total} / ({count} > 0)", _legend(by))


def failures(chosen: str) -> Query:
    """Failed spans a minute, by name and type of error."""
    return per_minute(CALLS, "span_name, error_type", f'{SPANS}, {chosen}, status_code="STATUS_CODE_ERROR"')


def _sum(by: str) -> str:
    return f"sum by ({by})" if by else "sum"


def _legend(by: str) -> str:
    return " ".join(f"{{{{{label}}}}}" for label in by.split(", ")) if by else ""
