"""A run's figures by OTLP while it goes on: what a real receiver gets, and what a receiver that is away costs."""

from __future__ import annotations

import math
import socket
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

from ailoop_otel import names
from ailoop_otel.measure import Refusal
from ailoop_otel.measure.load import scenario
from ailoop_otel.measure.load.campaign import measure
from ailoop_otel.measure.load.otlp import LiveMetrics
from ailoop_otel.measure.load.progress import Progress, ProgressListener
from ailoop_otel.measure.results import definitions, storage
from ailoop_otel.measure.results.definitions import Definition
from ailoop_otel.measure.results.observations import observed
from ailoop_otel.measure.results.run import Run
from tests.measure.commands.test_measure import program
from tests.measure.scripted_server import scripted
from tests.replay.receiver import Receiver

MESSAGES = ("first=0.02", "first=0.3", "end=ai_error", "end=drop", "end=cut chunks=3")
SHORT = ("opening=200", "sessions=5", "rate=20", "warmup=0.5", "duration=2", "arrivals=constant")


class _Kept(ProgressListener):
    """What the terminal would show."""

    def __init__(self) -> None:
        self.segments: list[str] = []
        self.last = Progress(0, 0, 0, 0)

    def segment(self, name: str, seconds: float) -> None:
        self.segments.append(name)

    def update(self, elapsed: float, now: Progress) -> None:
        self.last = now


@dataclass(frozen=True)
class Sent:
    """A run, what its terminal would have shown, and the requests that the receiver got meanwhile and at its end."""

    run: Run
    name: str
    shown: _Kept
    requests: list[ExportMetricsServiceRequest]

    def metrics(self, number: int = -1) -> dict[str, Metric]:
        """The metrics of a request, the last one else."""
        (of_resource,) = self.requests[number].resource_metrics
        (of_scope,) = of_resource.scope_metrics
        return {metric.name: metric for metric in of_scope.metrics}


@pytest.fixture(scope="module")
def sent() -> Sent:
    """A short run with failures and a warm-up, sent every 300 ms."""
    receiver, shown = Receiver(), _Kept()
    load = scenario.load("mixed", SHORT, MESSAGES)
    with pytest.MonkeyPatch.context() as environment, scripted() as server:
        environment.setenv("OTEL_METRIC_EXPORT_INTERVAL", "300")
        with LiveMetrics(receiver.url, load.name, shown) as live:
            run = measure(load, server.url, progress=live)
    receiver.close()
    assert {asked.path for asked in receiver.asked} == {"/v1/metrics"}
    return Sent(run, live.run, shown, [ExportMetricsServiceRequest.FromString(body) for body in receiver.taken])


def _of(metric: Metric) -> Iterator[tuple[dict[str, str], object]]:
    points = (metric.histogram or metric.sum).data_points if metric.HasField("histogram") else metric.sum.data_points
    for point in points:
        yield {each.key: each.value.string_value for each in point.attributes}, point


def test_it_is_a_service_of_its_own_and_each_run_an_instance(sent: Sent) -> None:
    """Beside the server's service, labelled with the scenario; no label is one that a message could invent."""
    (of_resource,) = sent.requests[-1].resource_metrics
    resource = {each.key: each.value.string_value for each in of_resource.resource.attributes}
    assert resource["service.name"] == names.LOAD_SERVICE == "ailoop-otel-measure"
    assert resource["service.instance.id"] == sent.name
    allowed = {metric.name: set(metric.labels) for metric in names.LOAD_METRICS}
    for name, metric in sent.metrics().items():
        for labels, _ in _of(metric):
            assert labels.keys() == allowed[name], name
            assert labels[names.LOAD_SCENARIO] == "mixed"


def test_all_that_the_table_names_is_sent_while_the_run_goes_on(sent: Sent) -> None:
    """Several times before its end; but for commands, which this run has none of."""
    wanted = {metric.name: metric.unit for metric in names.LOAD_METRICS if metric is not names.LOAD_COMMAND}
    assert {name: metric.unit for name, metric in sent.metrics().items()} == wanted
    offered = [
        sum(point.as_int for _, point in _of(metrics[names.LOAD_OFFERED.name]))
        for metrics in map(sent.metrics, range(len(sent.requests)))
    ]
    assert offered == sorted(offered)
    assert len(set(offered)) > 2
    assert offered[-1] == sum(row.metric == definitions.COMPLETION.name for row in sent.run.observations)


@pytest.mark.parametrize(
    ("metric", "definition"),
    [
        (names.LOAD_FIRST_CHUNK, definitions.FIRST_CHUNK),
        (names.LOAD_COMPLETION, definitions.COMPLETION),
        (names.LOAD_SEND_DELAY, definitions.SEND_DELAY),
    ],
    ids=lambda each: each.name,
)
def test_each_histogram_holds_what_the_report_is_made_of(
    sent: Sent, metric: names.Metric, definition: Definition
) -> None:
    """By phase and outcome: counts, sums, and how many are in each bucket."""
    wanted: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    for row in sent.run.observations:
        if row.metric == definition.name and not math.isnan(row.value):
            wanted[row.phase, row.outcome if names.OUTCOME in metric.labels else ""].append(row.value)
    found = {}
    for labels, point in _of(sent.metrics()[metric.name]):
        found[labels[names.LOAD_PHASE], labels.get(names.OUTCOME, "")] = point
    assert found.keys() == wanted.keys()
    assert {phase for phase, _ in found} == {"warmup", "run"}
    for key, values in wanted.items():
        assert found[key].count == len(values)
        assert found[key].sum == pytest.approx(sum(values))
        assert tuple(found[key].explicit_bounds) == metric.buckets
        below = sum(
            count for bound, count in zip(metric.buckets, found[key].bucket_counts, strict=False) if bound <= 0.1
        )
        assert below == sum(value <= 0.1 for value in values)


def test_exchanges_are_counted_by_their_outcome(sent: Sent) -> None:
    """Also those that have no time, as their connection was lost."""
    wanted = Counter(
        (row.phase, row.outcome) for row in sent.run.observations if row.metric == definitions.COMPLETION.name
    )
    found = {
        (labels[names.LOAD_PHASE], labels[names.OUTCOME]): point.as_int
        for labels, point in _of(sent.metrics()[names.LOAD_EXCHANGES.name])
    }
    assert found == wanted
    assert wanted["run", "disconnected"]


def test_the_terminal_is_told_all_the_same(sent: Sent) -> None:
    """The listener behind it gets every segment and the last counts."""
    assert sent.shown.segments == ["warm-up", "mixed", "the last answers"]
    assert sent.shown.last.done == sum(row.metric == definitions.COMPLETION.name for row in sent.run.observations)


def test_a_command_is_no_exchange() -> None:
    """It has a metric of its own, and is in no count of exchanges."""
    receiver = Receiver()
    with LiveMetrics(receiver.url, "mixed", ProgressListener()) as live:
        live.take([observed(definitions.COMMAND, 0.01, 0.0), observed(definitions.SEND_DELAY, 0.0, 0.0)])
    receiver.close()
    (of_resource,) = ExportMetricsServiceRequest.FromString(receiver.taken[-1]).resource_metrics
    found = {metric.name for metric in of_resource.scope_metrics[0].metrics}
    assert names.LOAD_COMMAND.name in found
    assert not {names.LOAD_EXCHANGES.name, names.LOAD_COMPLETION.name} & found


@pytest.mark.parametrize("silent", [False, True], ids=["nobody listens", "it never answers"])
def test_without_a_collector_the_run_is_the_same_and_one_line_says_so(tmp_path: Path, *, silent: bool) -> None:
    """Whether the connection is refused or hangs: all messages are sent in time, and the exit code is the verdict's."""
    with socket.create_server(("127.0.0.1", 0)) as taken, scripted(first=0.02) as server:
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
        if not silent:
            taken.close()
        begun = time.monotonic()
        ended = program(
            "mixed", "--url", server.url, "--out", "run", "--message", "hello", "--otlp", address,
            *(word for each in SHORT for word in ("--set", each)),
            cwd=tmp_path, OTEL_METRIC_EXPORT_INTERVAL="200",
        )  # fmt: skip
        took = time.monotonic() - begun
    assert ended.returncode == 0, ended.stderr
    assert took < 60
    (line,) = ended.stderr.splitlines()
    assert line.startswith(f"ailoop-otel: no collector takes this run's figures at {address} (--otlp): ")
    run = storage.load(tmp_path / "run")
    assert run.context.load["sent"] == run.context.load["planned"] > 0


def test_what_is_no_address_is_told_before_the_run() -> None:
    """In one line with one that is."""
    with pytest.raises(Refusal, match="--otlp 'collector:4318' is no address: write it like http://127.0.0.1:4318"):
        LiveMetrics("collector:4318", "mixed", ProgressListener())
