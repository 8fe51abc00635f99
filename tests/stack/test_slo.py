"""The objective and the fleet's dashboard, on three servers that a real Prometheus sees; and their targets."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from ailoop_otel import names
from collector.stack import COLLECTOR, Program, Stack, free_ports, url
from tests.ailoop.client import connected
from tests.ailoop.process import STATELESS, serving, standin
from tests.ailoop.provider import Provider
from tests.stack.backends import Prometheus, eventually
from tests.stack.test_dashboard import FLEET, FLEET_PANELS, filled
from tests.stack.traffic import environment
from tests.stack.watched import selectors

SERVICE = "ailoop-fleet"
RULES = COLLECTOR / "prometheus"
# Host, version, region, and what each of its messages asks the stand-in for.
SERVERS = (
    ("pod-good", "1.0", "eu", "hello [[say chunks=3 gap=0.01]]"),
    ("pod-mixed", "1.0", "us", "hello [[say chunks=3 gap=0.01]]"),
    ("pod-bad", "2.0", "us", "hello [[fail status=500]]"),
)
MESSAGES = 4
PARTS = ("service_version", "cloud_region")
PATIENCE = 120  # seconds: the alerts' rules come after the records, these after two rounds of the other rules


def shipped() -> dict[str, Any]:
    """The rules of the objective."""
    return yaml.safe_load((RULES / "slo.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def fleet(stack: Stack, provider: Provider, prometheus_program: Path) -> Iterator[Prometheus]:
    """A Prometheus that scrapes three servers' metrics from the collector, and evaluates the objective each second."""
    with ExitStack() as running:
        often = stack.folder / "slo.yaml"
        often.write_text(re.sub(r"interval: \dm", "interval: 1s", (RULES / "slo.yaml").read_text(encoding="utf-8")))
        configuration = yaml.safe_load((stack.folder / "prometheus.yaml").read_text(encoding="utf-8"))
        configuration["rule_files"] = [
            str(often) if Path(file).name == often.name else file for file in configuration["rule_files"]
        ]
        written = stack.folder / "fleet.yaml"
        written.write_text(yaml.safe_dump(configuration))
        port = free_ports().prometheus
        command = [
            str(prometheus_program),
            f"--config.file={written}",
            f"--storage.tsdb.path={stack.folder / 'fleet'}",
            f"--web.listen-address={url(port).removeprefix('http://')}",
        ]
        program = Program("fleet", command, f"{url(port)}/-/ready", stack.folder, {})
        program.start()
        running.callback(program.stop)
        program.wait()
        for host, version, region, message in SERVERS:
            who = f"host.name={host},service.version={version},cloud.region={region},deployment.environment.name=test"
            variables = environment(stack.ports.otlp, SERVICE, OTEL_RESOURCE_ATTRIBUTES=who)
            server = running.enter_context(serving(standin(STATELESS), provider.plain_environment() | variables))
            asyncio.run(_converse(server.port, message))
        metrics = Prometheus(port)
        seen = f'count(ailoop:server_bad:increase_5m{{job="{SERVICE}"}}) == {len(SERVERS)}'
        eventually(lambda: metrics.value(seen), timeout=PATIENCE)
        yield metrics


async def _converse(port: int, message: str) -> None:
    async with connected(port, STATELESS) as client:
        await client.start_session()
        for _ in range(MESSAGES):
            await client.ask(message)


def of(panel: str) -> str:
    """The expression of a panel that has one, as Grafana sends it."""
    (target,) = next(each for each in FLEET_PANELS if each["title"] == panel)["targets"]
    return filled(target["expr"], SERVICE)


@pytest.mark.parametrize("panel", FLEET_PANELS, ids=lambda panel: panel["title"])
def test_every_query_of_the_fleets_dashboard_has_data(fleet: Prometheus, panel: dict[str, Any]) -> None:
    """All that it selects is there, and a number comes of it; no alert of the objective need fire for it."""
    for target in panel["targets"]:
        expression = filled(target["expr"], SERVICE)
        read = {each for each in selectors(expression) if not each.startswith("ALERTS")}
        eventually(lambda read=read: {each for each in read if not fleet.query(each)}, lambda missing: not missing)
        eventually(
            lambda expression=expression: [value for _, value in fleet.query(expression)],
            lambda found: any(map(math.isfinite, found)),
        )


def test_the_worst_server_comes_first(fleet: Prometheus) -> None:
    """With its host, its version and its region."""
    found = eventually(
        lambda: [(labels["host_name"], value) for labels, value in fleet.query(of("Bad messages by server"))],
        lambda told: [value for _, value in told] == [1, 0, 0],
    )
    assert found[0][0] == "pod-bad"
    assert {host for host, _ in found} == {host for host, *_ in SERVERS}


def test_a_server_counts_once(fleet: Prometheus) -> None:
    """What the collector makes of spans is no server, though it tells of the same resource."""
    (count,) = next(each for each in FLEET_PANELS if each["title"] == "Servers")["targets"]
    assert count["expr"].startswith("count(ailoop:server:info{")
    assert fleet.value(f'count(ailoop:server:info{{job="{SERVICE}"}})') == len(SERVERS)


def test_versions_and_regions_are_told_apart(fleet: Prometheus) -> None:
    """A version that only fails, and a region in which half of the messages do."""
    for label, panel, wanted in (
        ("service_version", "Bad messages by version", {"1.0": 0, "2.0": 1}),
        ("cloud_region", "Bad messages by region", {"eu": 0, "us": 0.5}),
    ):
        (share, _) = next(each for each in FLEET_PANELS if each["title"] == panel)["targets"]
        expression = filled(share["expr"], SERVICE)
        # An increase is an estimate, and each process has one of its own.
        eventually(
            lambda expression=expression, label=label: {
                labels[label]: value for labels, value in fleet.query(expression)
            },
            lambda told, wanted=wanted: told == pytest.approx(wanted, abs=0.1),
        )


def test_every_rule_of_the_objective_is_evaluated(fleet: Prometheus) -> None:
    """Without an error; every record has data, and every alert reads what is there."""
    files = {group["file"]: group for group in fleet.get("rules")["groups"]}
    assert any(file.endswith("slo.yaml") for file in files)
    told = [rule for group in fleet.get("rules")["groups"] for rule in group["rules"]]
    assert [rule["lastError"] for rule in told if rule["health"] == "err"] == []
    for group in shipped()["groups"]:
        for rule in group["rules"]:
            read = {rule["record"]} if "record" in rule else selectors(rule["expr"])
            eventually(lambda read=read: {each for each in read if not fleet.query(each)}, lambda missing: not missing)


def test_the_fleet_burns_its_budget(fleet: Prometheus) -> None:
    """A third of the messages are bad: many times what may be, in every window and over 30 days."""
    burn = eventually(
        lambda: {labels["window"]: value for labels, value in fleet.query(f'ailoop:slo:burn{{job="{SERVICE}"}}')},
        lambda told: len(told) == 5 and all(value > 5 for value in told.values()),
    )
    assert set(burn) == {"5m", "30m", "1h", "6h", "3d"}
    left = f'ailoop:slo_budget:left{{job="{SERVICE}"}}'
    # Summed over each second since the first server answered, which was before the bad one did.
    eventually(lambda: fleet.value(left), lambda value: value is not None and value < -5)


def test_no_session_and_no_user_is_a_label(fleet: Prometheus) -> None:
    """Nothing that each user or session would add a series to."""
    labels = {
        label
        for name in ("ailoop:.+", "ailoop_.+")
        for label in fleet.get("labels", **{"match[]": f'{{__name__=~"{name}"}}'})
    }
    assert {"job", "instance", *PARTS} <= labels
    assert [label for label in labels if re.search("session_id|user|client|trace|conversation", label)] == []


def test_what_is_in_time_is_the_bound_of_a_bucket() -> None:
    """A histogram knows no other number."""
    rules = [
        rule for group in yaml.safe_load((RULES / "targets.yaml").read_text())["groups"] for rule in group["rules"]
    ]
    (target,) = [rule for rule in rules if rule["record"] == "ailoop:target:slo_first_chunk_seconds"]
    match = re.fullmatch(r"vector\(([\d.]+)\)", target["expr"])
    assert match
    assert float(match[1]) in names.METRIC_FIRST_CHUNK.buckets


def test_a_burn_rate_uses_up_its_part_of_the_budget() -> None:
    """The workbook's parts: 2 % in an hour, 5 % in 6 hours, 10 % in 3 days, of 30 days."""
    rules = [
        rule for group in yaml.safe_load((RULES / "targets.yaml").read_text())["groups"] for rule in group["rules"]
    ]
    rates = {rule["labels"]["window"]: rule["expr"] for rule in rules if rule["record"] == "ailoop:target:slo_burn"}
    hours = {"1h": 1, "6h": 6, "3d": 72}
    used = {window: float(rate[7:-1]) * hours[window] / (30 * 24) for window, rate in rates.items()}
    assert used == pytest.approx({"1h": 0.02, "6h": 0.05, "3d": 0.1})


def test_the_variables_of_the_fleets_dashboard_have_values(fleet: Prometheus) -> None:
    """Services and environments."""
    for variable in FLEET["templating"]["list"]:
        if variable["type"] == "query":
            match = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"])
            assert match
            found = fleet.get(f"label/{match[2]}/values", **{"match[]": match[1]})
            assert {"job": SERVICE, "environment": "test"}[variable["name"]] in found
