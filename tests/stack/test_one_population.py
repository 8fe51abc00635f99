"""One known load test, by the collector and Prometheus: dashboard and reports count the same, client and server."""

from __future__ import annotations

import math
from bisect import bisect
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from ailoop_otel import names
from ailoop_otel.measure.report.contents import Report, build_report
from ailoop_otel.measure.results import definitions, storage
from ailoop_otel.measure.results.definitions import Definition
from ailoop_otel.measure.telemetry.reading import read, run_from
from ailoop_otel.measure.telemetry.reconciliation import reconciled
from collector.stack import Stack
from tests.ailoop.process import STATELESS, serving, standin
from tests.ailoop.provider import Provider
from tests.measure.commands.test_measure import program
from tests.stack.backends import Prometheus, eventually
from tests.stack.test_dashboard import LOAD, PANELS, filled
from tests.stack.traffic import environment

LOADED = "ailoop-loaded"
BOTH = "otlp,ailoop_json_files"
# The first chunk of the late ones comes after the deadline of an AI timeout (1 s): they end well all the same.
MESSAGES = (
    "hello [[say chunks=3 delay=0.15 gap=0.02]]", "hello again [[say chunks=4 delay=0.15 gap=0.02]]", "/help",
    "late [[say chunks=3 delay=1.5 gap=0.02]]", "late again [[say chunks=3 delay=1.5 gap=0.02]]",
    "[[fail]]", "[[cut after=2 chunks=9]]",
)  # fmt: skip
SETTINGS = ("warmup=0", "opening=200", "sessions=20", "rate=10", "duration=12", "turns=4")
FIGURES = ("n", "failures", "missing", "mean", "min", "p50", "p90", "p95", "p99", "max")


@dataclass(frozen=True)
class Sides:
    """The report of a load test, the same joined with its server's telemetry, and the one of that telemetry alone."""

    client: Report
    joined: Report
    server: Report

    def value(self, definition: Definition, figure: str = "mean") -> float:
        """A figure of the server's report."""
        row = self.server.row(definition)
        assert row is not None
        return float(getattr(row.summary, figure))


@pytest.fixture(scope="module")
def sides(
    stack: Stack, provider: Provider, metrics: Prometheus, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Sides]:
    """A server that sends its telemetry to the collector and into files, and a load test that sends its own."""
    folder = tmp_path_factory.mktemp("sides")
    variables = environment(
        stack.ports.otlp, LOADED, AILOOP_OTEL_DIRECTORY=str(folder / "telemetry"), OTEL_TRACES_EXPORTER=BOTH,
        OTEL_METRICS_EXPORTER=BOTH, OTEL_LOGS_EXPORTER=BOTH,
    )  # fmt: skip
    with serving(standin(STATELESS), provider.plain_environment() | variables) as server:
        ended = program(
            "mixed", "--url", f"ws://127.0.0.1:{server.port}/ws", "--out", "run", "--otlp", stack.ports.otlp,
            *(word for text in MESSAGES for word in ("--message", text)),
            *(word for each in SETTINGS for word in ("--set", each)),
            cwd=folder, OTEL_METRIC_EXPORT_INTERVAL="1000",
        )  # fmt: skip
        assert ended.returncode == 0, ended.stderr
        assert ended.stderr == ""
        run = storage.load(folder / "run")
        client = build_report(run)
        counted = f'sum(ailoop_exchange_duration_seconds_count{{job="{LOADED}"}})'
        eventually(lambda: metrics.value(counted), lambda found: found == len(client.exchanges))

        def written() -> Report:
            return build_report(run_from(read(folder / "telemetry")))

        ours = eventually(written, lambda found: len(found.exchanges) == len(client.exchanges))
        yield Sides(client, build_report(reconciled(run, folder / "telemetry")), ours)


def test_the_known_run_has_all_that_is_counted_in_its_own_way(sides: Sides) -> None:
    """Commands, failures with a first chunk and without, and timeouts that ended well."""
    outcomes = Counter(each.outcome for each in sides.client.exchanges)
    assert set(outcomes) == {"ok", "ai_error", "cut"}
    assert sides.value(definitions.SERVER_COMMAND, "n") > 0
    assert sides.value(definitions.TIMEOUT_DETECTED, "n") > 0


def test_messages_of_dashboard_and_reports_are_the_same(sides: Sides, metrics: Prometheus) -> None:
    """By outcome, of the server's metrics and of the load test's; a command is in none of them."""
    wanted = Counter(each.outcome for each in sides.client.exchanges)
    assert Counter(each.outcome for each in sides.server.exchanges) == wanted
    commands = sides.client.row(definitions.COMMAND)
    assert commands is not None
    for count, chosen in (
        ("ailoop_exchange_duration_seconds_count", f'job="{LOADED}"'),
        ("ailoop_client_exchanges_total", f'job="{names.LOAD_SERVICE}", ailoop_load_phase!="warmup"'),
    ):
        found = metrics.query(f"sum by (ailoop_exchange_outcome) ({count}{{{chosen}}})")
        assert {labels["ailoop_exchange_outcome"]: value for labels, value in found} == wanted, count
    assert metrics.value(f'sum(ailoop_command_duration_seconds_count{{job="{LOADED}"}})') == commands.summary.n


def test_the_error_rate_is_the_same(sides: Sides, metrics: Prometheus) -> None:
    """Of 1,000 exchanges: timeouts that ended well are none, and commands are in no denominator."""
    wanted = sides.value(definitions.ERROR_RATE)
    # What an increase says of a short time is an estimate, of failures and of all alike.
    close = pytest.approx(wanted, rel=0.2)
    eventually(lambda: metrics.value(f'ailoop:errors:per_1000_5m{{job="{LOADED}"}}'), lambda found: found == close)


@pytest.mark.parametrize(
    ("definition", "histogram"),
    [
        (definitions.SERVER_FIRST_CHUNK, "ailoop_exchange_time_to_first_chunk_seconds"),
        (definitions.SERVER_COMPLETION, "ailoop_exchange_duration_seconds"),
    ],
    ids=lambda each: getattr(each, "name", ""),
)
@pytest.mark.parametrize("percent", [50, 95])
def test_percentiles_are_in_the_same_bucket(
    sides: Sides, metrics: Prometheus, definition: Definition, histogram: str, percent: int
) -> None:
    """What failed is left out: how many there are is the same to the last one."""
    chosen = f'{{job="{LOADED}", ailoop_exchange_outcome="ok"}}'
    assert metrics.value(f"sum({histogram}_count{chosen})") == sides.value(definition, "n")
    expression = f"histogram_quantile({percent / 100}, sum by (le) ({histogram}_bucket{chosen}))"
    found = metrics.value(expression)
    assert found is not None
    assert _bucket(found) == _bucket(sides.value(definition, f"p{percent}"))


def _bucket(seconds: float) -> int:
    return bisect(names.METRIC_FIRST_CHUNK.buckets, seconds)


def test_the_dashboards_p95_is_the_reports(sides: Sides, metrics: Prometheus) -> None:
    """The number that stands on top of it, and that the alert reads."""
    wanted = _bucket(sides.value(definitions.SERVER_FIRST_CHUNK, "p95"))
    expression = f'ailoop:first_chunk_seconds:p95_5m{{job="{LOADED}"}}'
    eventually(lambda: metrics.value(expression), lambda found: found is not None and _bucket(found) == wanted)


def test_the_joined_report_has_every_figure_of_the_client(sides: Sides) -> None:
    """`report --client` adds the server's, and changes none that `measure` reported of the same run."""
    for row in sides.client.rows:
        (joined,) = [each for each in sides.joined.rows if (each.definition, each.label) == (row.definition, row.label)]
        for figure in FIGURES:
            ours, theirs = getattr(row.summary, figure), getattr(joined.summary, figure)
            assert ours == theirs or (math.isnan(ours) and math.isnan(theirs)), (row.title, figure)
    assert sides.joined.failures == sides.client.failures


def _queries() -> Iterator[Any]:
    for panel in PANELS:
        for target in panel["targets"] if panel["title"].startswith(LOAD) else ():
            yield pytest.param(target["expr"], id=f"{panel['title']}-{target['refId']}")


@pytest.mark.usefixtures("sides")
@pytest.mark.parametrize("expression", [*_queries()])
def test_every_query_of_the_load_tests_row_has_data(metrics: Prometheus, expression: str) -> None:
    """Client beside server, in numbers."""
    asked = filled(expression, LOADED)
    eventually(lambda: [value for _, value in metrics.query(asked)], lambda found: any(map(math.isfinite, found)))
