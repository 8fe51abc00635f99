"""The dashboard: as its Python says, well formed, and every query of it has data in a Prometheus that scraped a run."""

from __future__ import annotations

import importlib
import json
import math
import re
import sys
import time
from collections.abc import Iterator
from itertools import combinations
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from ailoop_otel import names
from collector.stack import COLLECTOR
from tests.stack.backends import Jaeger, Prometheus, eventually
from tests.stack.test_end_to_end import in_prometheus
from tests.stack.watched import NEWCOMER, WATCHED, First, selectors

FOLDER = COLLECTOR / "grafana"
DASHBOARD: dict[str, Any] = json.loads((FOLDER / "ailoop.json").read_text(encoding="utf-8"))
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
# In a row of its own, which needs a load test: test_one_population.py.
LOAD = "Load test: "
# Needs an hour of a server's life; its rule is tried in test_alerts.py.
SLOW = "ailoop:memory:growth_bytes_per_session_1h"
# The second dashboard; its queries are tried in test_slo.py.
FLEET: dict[str, Any] = json.loads((FOLDER / "fleet.json").read_text(encoding="utf-8"))
FLEET_PANELS = [panel for panel in FLEET["panels"] if panel["type"] != "row"]


def filled(expression: str, job: str = WATCHED) -> str:
    """An expression as Grafana sends it."""
    values = {"$__rate_interval": "5m", "$__range": "1h", "$job": job, "$instance": ".*", "$environment": ".*"}
    for name, value in values.items():
        expression = expression.replace(name, value)
    assert "$" not in expression
    return expression


def queries() -> Iterator[Any]:
    """Each query of each panel."""
    for panel in PANELS:
        for target in panel["targets"] if not panel["title"].startswith(LOAD) else ():
            yield pytest.param(target, id=f"{panel['title']}-{target['refId']}")


@pytest.mark.skipif(sys.version_info < (3, 11), reason="grafana-foundation-sdk needs Python 3.11")
@pytest.mark.parametrize("name", ["dashboard", "fleet"])
def test_the_dashboards_are_what_their_python_says(name: str) -> None:
    """`make dashboard` writes them."""
    made = importlib.import_module(f"collector.grafana.{name}")
    assert made.WRITTEN.read_text(encoding="utf-8") == made.text()


def test_tokens_and_cost_are_on_it() -> None:
    """Each kind that is counted, by agent and by model; that all have data is the next test's."""
    expressions = [target["expr"] for panel in PANELS for target in panel["targets"]]
    asked = {series.partition("{")[0] for expression in expressions for series in selectors(filled(expression))}
    assert {in_prometheus(metric) for metric in names.TOTALS} - asked == {"ailoop_cost_total"}
    assert {"ailoop:cost:total", "ailoop:cost:increase_1d"} <= asked
    for name in ("gen_ai_agent_name", "gen_ai_request_model"):
        assert any(name in expression for expression in expressions if "ailoop:cost:total" in expression), name


@pytest.mark.usefixtures("busy")
@pytest.mark.parametrize("target", [*queries()])
def test_every_query_has_data(metrics: Prometheus, target: dict[str, Any]) -> None:
    """All that it selects is there, so that no `or vector(0)` hides a wrong name, and a number comes of it."""
    expression = filled(target["expr"])
    if expression.startswith(SLOW):
        return
    # What the recording rules make of spans counts from zero ten seconds after they came.
    eventually(lambda: {each for each in selectors(expression) if not metrics.query(each)}, lambda missing: not missing)
    eventually(lambda: [value for _, value in metrics.query(expression)], lambda found: any(map(math.isfinite, found)))


@pytest.mark.usefixtures("busy")
def test_errors_are_counted_from_the_first(metrics: Prometheus) -> None:
    """Each of two rounds had each kind once, but three timeouts, one of which was cut in the end."""
    (panel,) = [each for each in PANELS if each["title"] == "Errors by type, in the time shown"]
    expression = filled(panel["targets"][0]["expr"])

    def told() -> dict[tuple[str, str], float]:
        found = metrics.query(expression)
        return {(labels["ailoop_exchange_outcome"], labels["error_type"]): value for labels, value in found}

    wanted = {
        ("ai_error", "500"): 2,
        ("ai_error", "unknown_tool"): 2,
        ("cut", "ChunkedEncodingError"): 2,
        ("ai_timeout", "ai_timeout"): 6,
    }
    # An increase is an estimate, by half too high while Prometheus has seen the series three times only.
    eventually(told, lambda found: found == pytest.approx(wanted, rel=0.3), timeout=60)


@pytest.mark.usefixtures("busy")
def test_every_variable_has_values(metrics: Prometheus) -> None:
    """The services, and the processes of one."""
    asked = {}
    for variable in DASHBOARD["templating"]["list"]:
        if variable["type"] == "query":
            match = re.fullmatch(r"label_values\((.+), (\w+)\)", filled(variable["query"]))
            assert match
            asked[variable["name"]] = metrics.get(f"label/{match[2]}/values", **{"match[]": match[1]})
    assert WATCHED in asked["job"]
    assert len(asked["instance"]) == 1


def test_dots_lead_to_traces(newcomer: First, metrics: Prometheus, traces: Jaeger) -> None:
    """With the shipped intervals the dots of one message get through, labelled as the datasource says."""
    (source,) = [each for each in provisioned() if each["type"] == "prometheus"]
    (link,) = source["jsonData"]["exemplarTraceIdDestinations"]
    assert link["datasourceUid"] in {each["uid"] for each in provisioned() if each["type"] == "jaeger"}
    asked = [target["expr"] for panel in PANELS for target in panel["targets"] if target.get("exemplar")]
    assert asked

    def dots(expression: str) -> set[str]:
        begin, end = str(newcomer.said - 1), str(time.time())
        found = metrics.get("query_exemplars", query=filled(expression, NEWCOMER), start=begin, end=end)
        return {dot["labels"][link["name"]] for series in found for dot in series["exemplars"]}

    for expression in asked:
        for trace in eventually(lambda expression=expression: dots(expression)):
            spans = eventually(lambda trace=trace: traces.trace(trace))
            assert {span.service for span in spans} == {NEWCOMER}


def provisioned() -> list[dict[str, Any]]:
    """The datasources that Grafana is given."""
    return yaml.safe_load((FOLDER / "provisioning/datasources/ailoop.yaml").read_text())["datasources"]


def test_what_is_provisioned_is_where_compose_has_it() -> None:
    """The datasources by the names of services, the dashboard where the provider looks."""
    services = yaml.safe_load((COLLECTOR / "compose.yaml").read_text())["services"]
    for source in provisioned():
        assert urlsplit(source["url"]).hostname in services
    (provider,) = yaml.safe_load((FOLDER / "provisioning/dashboards/ailoop.yaml").read_text())["providers"]
    mounts = dict(volume.split(":")[:2] for volume in services["grafana"]["volumes"])
    for name in ("ailoop.json", "fleet.json"):
        assert mounts[f"./grafana/{name}"] == f"{provider['options']['path']}/{name}"
    assert mounts["./grafana/provisioning"] == "/etc/grafana/provisioning"


@pytest.mark.parametrize("made", [DASHBOARD, FLEET], ids=["ailoop", "fleet"])
def test_the_dashboards_use_the_datasource_that_is_provisioned(made: dict[str, Any]) -> None:
    """By its uid, as the variable's first value, and with the interval that Prometheus scrapes at."""
    (variable,) = [each for each in made["templating"]["list"] if each["name"] == "datasource"]
    (source,) = [each for each in provisioned() if each["type"] == "prometheus"]
    assert variable["current"]["value"] == source["uid"]
    scraped = yaml.safe_load((COLLECTOR / "prometheus/prometheus.yaml").read_text())["global"]["scrape_interval"]
    assert source["jsonData"]["timeInterval"] == scraped
    panels = [panel for panel in made["panels"] if panel["type"] != "row"]
    used = {panel["datasource"]["uid"] for panel in panels}
    used |= {target["datasource"]["uid"] for panel in panels for target in panel["targets"]}
    assert used == {"${datasource}"}


@pytest.mark.parametrize("panel", PANELS + FLEET_PANELS, ids=lambda panel: panel["title"])
def test_panels_are_complete(panel: dict[str, Any]) -> None:
    """A title, a sentence on what it shows, a unit, and queries that can be told apart."""
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert panel["options"]
    heat = panel["type"] == "heatmap"
    assert panel["options"]["yAxis"]["unit"] if heat else panel["fieldConfig"]["defaults"]["unit"]
    letters = [target["refId"] for target in panel["targets"]]
    assert letters
    assert len(set(letters)) == len(letters)
    if panel["type"] == "timeseries":
        assert all(target["legendFormat"] for target in panel["targets"])


@pytest.mark.parametrize("made", [DASHBOARD, FLEET], ids=["ailoop", "fleet"])
def test_panels_lie_beside_each_other(made: dict[str, Any]) -> None:
    """Within 24 columns, none on another, each with a number of its own, and a title."""
    places = [panel["gridPos"] for panel in made["panels"]]
    assert all(place["x"] + place["w"] <= 24 for place in places)
    for one, other in combinations(places, 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or below
    assert len({panel["id"] for panel in made["panels"]}) == len(places)
    titles = [panel["title"] for panel in made["panels"] if panel["type"] != "row"]
    assert len(set(titles)) == len(titles)
