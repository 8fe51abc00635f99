"""The figures of a load test as metrics, sent by OTLP while it runs, so that they stand beside the server's own.

They are made of the observations that the report is made of: both have the same definitions.
"""

from __future__ import annotations

import logging
import sys
import uuid
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final

import requests
from opentelemetry import metrics
from opentelemetry.exporter.otlp.proto.http import metric_exporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.metrics import CallbackOptions
from opentelemetry.sdk.environment_variables import OTEL_METRIC_EXPORT_INTERVAL
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricExportResult, MetricsData, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource

from ailoop_otel import names
from ailoop_otel.measure import Refusal
from ailoop_otel.measure.load.progress import Progress, ProgressListener
from ailoop_otel.measure.results import definitions
from ailoop_otel.measure.results.observations import Observation, is_missing
from ailoop_otel.replay.http import DEFAULT
from ailoop_otel.settings import environment, is_address, is_loopback, without_secrets
from ailoop_otel.version import __version__

_INTERVAL: Final = 5000  # milliseconds: as often as the Prometheus in collector/ scrapes
_PATIENCE: Final = 5  # seconds for one export with its retries, and for the last one
_HISTOGRAMS: Final = {
    definitions.FIRST_CHUNK.name: names.LOAD_FIRST_CHUNK,
    definitions.COMPLETION.name: names.LOAD_COMPLETION,
    definitions.COMMAND.name: names.LOAD_COMMAND,
    definitions.SEND_DELAY.name: names.LOAD_SEND_DELAY,
}


class LiveMetrics(ProgressListener):
    """Records a run's observations as metrics, and passes the progress on to another listener.

    A context manager. A thread of its own sends every 5 s, or as `OTEL_METRIC_EXPORT_INTERVAL` says; the end sends
    the last figures, and takes 5 s at most. Headers, certificates and compression are those of the variables
    `OTEL_EXPORTER_OTLP_*`. Raises Refusal for an endpoint that is no address.
    """

    def __init__(self, endpoint: str, scenario: str, listener: ProgressListener) -> None:
        if not is_address(endpoint):
            raise Refusal(f"--otlp {without_secrets(endpoint)!r} is no address: write it like {DEFAULT}")
        self.run = f"{scenario}-{uuid.uuid4().hex[:8]}"
        self._listener = listener
        self._scenario = {names.LOAD_SCENARIO: scenario}
        self._now = Progress(0, 0, 0, 0)
        self._exporter = _Exporter(endpoint)
        interval = environment(OTEL_METRIC_EXPORT_INTERVAL)
        reader = PeriodicExportingMetricReader(self._exporter, None if interval else _INTERVAL, _PATIENCE * 1000)
        resource = {"service.name": names.LOAD_SERVICE, "service.instance.id": self.run, "service.version": __version__}
        self._provider = MeterProvider([reader], Resource.create(resource), shutdown_on_exit=False)
        self._meter = self._provider.get_meter(names.SCOPE, __version__)
        self._histograms = {
            name: self._meter.create_histogram(
                each.name, each.unit, each.description, explicit_bucket_boundaries_advisory=each.buckets
            )
            for name, each in _HISTOGRAMS.items()
        }
        exchanges, offered, sessions = names.LOAD_EXCHANGES, names.LOAD_OFFERED, names.LOAD_SESSIONS
        self._exchanges = self._meter.create_counter(exchanges.name, exchanges.unit, exchanges.description)
        self._meter.create_observable_counter(offered.name, [self._offered], offered.unit, offered.description)
        self._meter.create_observable_gauge(sessions.name, [self._sessions], sessions.unit, sessions.description)

    def __enter__(self) -> LiveMetrics:
        return self

    def __exit__(self, *exception: object) -> None:
        # A collector that does not answer is not waited for.
        self._provider.shutdown(timeout_millis=500 if self._exporter.fails else _PATIENCE * 1000)

    def segment(self, name: str, seconds: float) -> None:
        """A segment of the run begins."""
        self._listener.segment(name, seconds)

    def update(self, elapsed: float, now: Progress) -> None:
        """Keep the counts until they are collected."""
        self._now = now
        self._listener.update(elapsed, now)

    def take(self, observations: Sequence[Observation]) -> None:
        """Record observations."""
        ended: Counter[tuple[str, str]] = Counter()
        for row in observations:
            histogram = _HISTOGRAMS.get(row.metric)
            if histogram is None:
                continue
            if row.metric == definitions.COMPLETION.name:
                ended[row.phase, row.outcome] += 1
            if not is_missing(row.value):
                labels = self._labels(row.phase)
                if names.OUTCOME in histogram.labels:
                    labels[names.OUTCOME] = row.outcome
                self._histograms[row.metric].record(row.value, labels)
        for (phase, outcome), count in ended.items():
            self._exchanges.add(count, {**self._labels(phase), names.OUTCOME: outcome})
        self._listener.take(observations)

    def _labels(self, phase: str) -> dict[str, str]:
        return {**self._scenario, names.LOAD_PHASE: phase}

    def _offered(self, options: CallbackOptions) -> Iterable[metrics.Observation]:
        yield metrics.Observation(self._now.done + self._now.in_flight, self._scenario)

    def _sessions(self, options: CallbackOptions) -> Iterable[metrics.Observation]:
        yield metrics.Observation(self._now.sessions, self._scenario)


class _Exporter(OTLPMetricExporter):
    """The official exporter, which writes one line in all about a collector that does not take what it is sent."""

    told = False  # of all runs of a process

    def __init__(self, endpoint: str) -> None:
        # Each of its retries would be a line of its own.
        logging.getLogger(metric_exporter.__name__).disabled = True
        session = requests.Session()
        session.trust_env = not is_loopback(endpoint)  # a proxy does not reach this machine
        super().__init__(f"{endpoint.rstrip('/')}/v1/metrics", session=session, timeout=_PATIENCE)
        self.fails = False
        self._address = without_secrets(endpoint)

    def export(self, metrics_data: MetricsData, *arguments: Any, **more: Any) -> MetricExportResult:
        """Send the metrics; the first failure is one line."""
        result = super().export(metrics_data, *arguments, **more)
        self.fails = result is not MetricExportResult.SUCCESS
        if self.fails and not _Exporter.told:
            _Exporter.told = True
            sys.stderr.write(
                f"ailoop-otel: no collector takes this run's figures at {self._address} (--otlp): the run goes on "
                "without, and the report has all of them\n"
            )
        return result
