"""Light histograms: what comes of them is what the SDK makes of the same measurements."""

from __future__ import annotations

import math
import threading
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.context import Context
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

from ailoop_otel import names
from ailoop_otel.recording.fast import histograms
from ailoop_otel.recording.fast.histograms import HistogramStore, LightHistogram
from tests.recorder import RESOURCE

METRIC = names.METRIC_EXCHANGE_DURATION


def context(number: int, *, sampled: bool = True) -> Context:
    """One in which a span is current."""
    flags = TraceFlags(TraceFlags.SAMPLED if sampled else TraceFlags.DEFAULT)
    return set_span_in_context(
        NonRecordingSpan(SpanContext(number, number, is_remote=False, trace_flags=flags)), Context()
    )


class Pair:
    """The same measurements for the SDK and for a store."""

    def __init__(self) -> None:
        self.reader = InMemoryMetricReader()
        meter = MeterProvider([self.reader], RESOURCE, shutdown_on_exit=False).get_meter("pair")
        self.store = HistogramStore()
        self._told = 0
        self.instruments: tuple[Any, ...] = (
            self.store.histogram(METRIC),
            meter.create_histogram(METRIC.name, METRIC.unit, METRIC.description,
                                   explicit_bucket_boundaries_advisory=METRIC.buckets),
        )  # fmt: skip

    def record(self, *arguments: Any) -> None:
        """With both."""
        for instrument in self.instruments:
            instrument.record(*arguments)

    def collect(self) -> tuple[Any, Any]:
        """What can be read of both."""
        metrics, self._told = self.store.data(self._told)
        data = self.reader.get_metrics_data()
        theirs = data.resource_metrics[0].scope_metrics[0].metrics if data is not None else []
        return _read(metrics), _read(theirs)


def _read(metrics: Any) -> Any:
    return [
        (metric.name, metric.unit, metric.description, metric.data.aggregation_temporality,
         sorted((_point(point) for point in metric.data.data_points), key=str))
        for metric in metrics
    ]  # fmt: skip


def _point(point: HistogramDataPoint) -> Any:
    exemplars = [(e.filtered_attributes or {}, e.value, e.trace_id, e.span_id) for e in point.exemplars]
    assert point.start_time_unix_nano <= point.time_unix_nano
    assert all(e.time_unix_nano <= point.time_unix_nano for e in point.exemplars)
    return (
        # With their types: `True`, `1` and `1.0` are equal in Python.
        sorted((name, repr(value)) for name, value in (point.attributes or {}).items()),
        point.count, pytest.approx(point.sum), tuple(point.bucket_counts), tuple(point.explicit_bounds),
        point.min, point.max, exemplars,
    )  # fmt: skip


LABELS = st.dictionaries(st.sampled_from("abc"), st.sampled_from(["x", "y", 1, 2.5, "1", True, 1.0]), max_size=2)
SPANS = st.one_of(st.just(Context()), st.integers(1, 9).map(context),
                  st.integers(1, 9).map(lambda number: context(number, sampled=False)))  # fmt: skip
MEASUREMENTS = st.tuples(
    st.one_of(st.floats(0, 1e4), st.sampled_from([*METRIC.buckets, 2.0**70]), st.integers(0, 9)), LABELS, SPANS
)


@settings(deadline=None)
@given(st.lists(st.one_of(MEASUREMENTS, st.none()), max_size=30))
def test_points_are_the_sdks(measurements: list[Any]) -> None:
    """Counts, sums, extremes, buckets, exemplars: whenever it is collected (None), any number of times."""
    pair = Pair()
    for measurement in [*measurements, None]:
        if measurement is None:
            light, sdk = pair.collect()
            assert light == sdk
        else:
            pair.record(*measurement)


BATCHES = st.tuples(
    st.lists(st.one_of(st.floats(-1, 1e4), st.sampled_from([*METRIC.buckets, 2.0**70, math.inf]))).map(sorted),
    LABELS, SPANS,
)  # fmt: skip


@settings(deadline=None)
@given(st.lists(BATCHES, min_size=1, max_size=5))
def test_many_at_once_are_as_each_by_itself(batches: list[Any]) -> None:
    """Beside single ones, too; in ascending order, as the largest of a bucket is its exemplar."""
    pair = Pair()
    light, sdk = pair.instruments
    for amounts, labels, span in batches:
        pair.record(1.5, labels, span)
        light.record_all(amounts, labels, span)
        for amount in amounts:
            if math.isfinite(amount):  # the SDK leaves out negative ones only
                sdk.record(amount, labels, span)
    found, wanted = pair.collect()
    assert found == wanted
    assert pair.store.recorded(besides=names.METRIC_LOOP_LAG) == sum(1 + len(amounts) for amounts, _, _ in batches)


@pytest.mark.parametrize("amount", [-1, -0.5, math.nan, math.inf, -math.inf, 10**400])
def test_what_cannot_be_added_up_is_left_out(amount: float) -> None:
    """One of them would spoil the sum, or every later export."""
    store = HistogramStore()
    histogram = store.histogram(METRIC)
    for value in (1, amount, 2):
        histogram.record(value)
    ((metric,), _) = store.data(0)
    (point,) = metric.data.data_points
    assert (point.count, point.sum, point.min, point.max) == (2, 3, 1, 2)


def test_many_are_counted_before_anybody_collects(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that what waits is bounded."""
    monkeypatch.setattr(histograms, "_MOST_WAITING", 10)
    pair = Pair()
    for number in range(1, 50):
        pair.record(number, {"a": "b"}, context(number))
        assert len(pair.store.waiting) <= 10
    light, sdk = pair.collect()
    assert light == sdk


def test_sets_of_attributes_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those beyond the limit are one point, as in the SDK."""
    monkeypatch.setattr(histograms, "_MOST_POINTS", 3)
    store = HistogramStore()
    for number in range(10):
        store.histogram(METRIC).record(number, {"a": number})
    ((metric,), _) = store.data(0)
    counts = {str(dict(point.attributes or {})): getattr(point, "count", 0) for point in metric.data.data_points}
    assert counts == {"{'a': 0}": 1, "{'a': 1}": 1, "{'a': 2}": 1, "{'otel.metric.overflow': True}": 7}


def test_none_is_lost_or_counted_twice_between_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some record, one collects, all count."""
    monkeypatch.setattr(histograms, "_MOST_WAITING", 5)
    store = HistogramStore()
    histogram: LightHistogram = store.histogram(METRIC)

    def work() -> None:
        for _ in range(2000):
            histogram.record(1.0, {})

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        store.data(0)
    ((metric,), counted) = store.data(0)
    (point,) = metric.data.data_points
    assert isinstance(point, HistogramDataPoint)
    assert (point.count, point.sum, counted) == (8000, 8000.0, 8000)


def test_each_reader_gets_each_exemplar() -> None:
    """Once, however many readers collect."""
    store = HistogramStore()
    histogram = store.histogram(METRIC)
    counted = {"one": 0, "other": 0}
    seen: dict[str, list[int]] = {"one": [], "other": []}

    def collect(name: str) -> None:
        (metric,), counted[name] = store.data(counted[name])
        seen[name] += [e.trace_id or 0 for p in metric.data.data_points for e in p.exemplars]  # type: ignore[union-attr]

    histogram.record(1, {}, context(1))
    collect("one")
    histogram.record(2, {}, context(2))
    collect("one")
    collect("other")
    collect("one")
    assert seen == {"one": [1, 2], "other": [1, 2]}
