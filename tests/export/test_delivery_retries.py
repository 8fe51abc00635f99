"""A batch is given up when OTEL_EXPORTER_OTLP_TIMEOUT has run out, not before and not after."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from ailoop_otel.export import choice
from ailoop_otel.export.delivery import RetryingExporter


class Collector(SpanExporter):
    """An exporter whose collector comes back at a moment; each export takes `takes` seconds of a clock of its own."""

    def __init__(self, takes: float, back_at: float) -> None:
        self.now = 0.0
        self.tries = 0
        self._takes, self._back_at = takes, back_at

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Fail, or succeed from the moment on."""
        self.tries += 1
        if self.now + self._takes >= self._back_at:
            self.now = max(self.now, self._back_at)
            return SpanExportResult.SUCCESS
        self.now += self._takes
        return SpanExportResult.FAILURE


def exported(collector: Collector, timeout: float) -> bool:
    return RetryingExporter(collector, timeout, lambda: collector.now).export([]) is SpanExportResult.SUCCESS


@pytest.mark.parametrize("away", [10.0, 31.0, 45.0, 90.0])
def test_a_collector_that_is_back_in_time_gets_the_batch(away: float) -> None:
    """Though the exporter itself gives up after 31 s."""
    assert exported(Collector(31.0, away), 120.0)


def test_a_batch_is_not_tried_beyond_the_timeout() -> None:
    """Three tries of 31 s end at 93 s; a fourth would not fit into 120."""
    collector = Collector(31.0, 1000.0)
    assert not exported(collector, 120.0)
    assert (collector.tries, collector.now) == (3, 93.0)


def test_the_sdks_own_timeout_is_kept() -> None:
    """With the default of 10 s the exporter gives up at 7, and that is it."""
    collector = Collector(7.0, 12.0)
    assert not exported(collector, 10.0)
    assert collector.tries == 1


@pytest.mark.parametrize("takes", [0.01, 1.2, 9.9])
def test_what_is_refused_is_not_tried_again(takes: float) -> None:
    """A collector that says 400 will say so again, though it takes its time; the batch may have been taken besides."""
    collector = Collector(takes, 1000.0)
    assert not exported(collector, 120.0)
    assert collector.tries == 1


def test_nothing_is_tried_after_the_end() -> None:
    """The end of the server does not wait for a collector."""

    class Ending(Collector):
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            retrying.shutdown()
            return super().export(spans)

    collector = Ending(31.0, 1000.0)
    retrying = RetryingExporter(collector, 120.0, lambda: collector.now)
    assert retrying.export([]) is SpanExportResult.FAILURE
    assert collector.tries == 1


@pytest.mark.parametrize(
    ("variables", "seconds"),
    [
        ({}, 10.0),
        ({"OTEL_EXPORTER_OTLP_TIMEOUT": "120"}, 120.0),
        ({"OTEL_EXPORTER_OTLP_TIMEOUT": "120", "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "2.5"}, 2.5),
        ({"OTEL_EXPORTER_OTLP_TIMEOUT": "soon"}, 10.0),
        ({"OTEL_EXPORTER_OTLP_TIMEOUT": "nan"}, 10.0),
    ],
)
def test_the_timeout_is_what_the_environment_says(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], seconds: float
) -> None:
    """In seconds, as Python's SDK reads it; what is no number is the exporter's to complain of."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert choice.export_timeout() == seconds
