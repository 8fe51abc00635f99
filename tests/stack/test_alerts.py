"""Alerts and recording rules: right in promtool's tests, and alive in a Prometheus that scrapes a real run."""

from __future__ import annotations

import math
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from collector.stack import COLLECTOR
from tests.stack.backends import Jaeger, Prometheus, eventually
from tests.stack.watched import WATCHED, selectors

RULES = COLLECTOR / "prometheus"
CASES = sorted((Path(__file__).parent / "rules").glob("*.yaml"))
# Born with the first failure, so no healthy run has it; the collector's program must know the name.
UNBORN = {"otelcol_exporter_enqueue_failed_spans_total", "ailoop:collector_queue_refused:total"}
TIMEOUTS = "AILoopAITimeouts"
# Needs an hour; with this change its names and labels are tried all the same.
SLOW = "ailoop:memory:growth_bytes_per_session_1h"


def rules(name: str) -> Iterator[dict[str, Any]]:
    """The rules of a file, as they are written."""
    for group in yaml.safe_load((RULES / name).read_text())["groups"]:
        yield from group["rules"]


ALERTS = {rule["alert"]: rule for name in ("alerts.yaml", "slo.yaml") for rule in rules(name) if "alert" in rule}
# Evaluated more seldom: test_slo.py tries these on a Prometheus that evaluates them every second.
SELDOM = {rule["alert"] for rule in rules("slo.yaml") if "alert" in rule}


@pytest.fixture(scope="module")
def promtool(prometheus_program: Path) -> str:
    """Prometheus' own tool, installed with it."""
    return str(shutil.which("promtool") or prometheus_program.with_name("promtool"))


def run(*command: str) -> None:
    """Run a command and tell what it said where it failed."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_configuration_of_prometheus_is_valid(promtool: str) -> None:
    """Syntax of rules, expressions and templates."""
    run(promtool, "check", "config", str(RULES / "prometheus.yaml"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_alerts_fire_when_they_should_and_not_otherwise(promtool: str, case: Path) -> None:
    """Low traffic, restarts, gaps, first events and moments included."""
    run(promtool, "test", "rules", str(case))


def test_every_alert_is_tried_both_ways() -> None:
    """One test at least in which it fires, and one in which it stays quiet."""
    names = [test["name"] for case in CASES for test in yaml.safe_load(case.read_text())["tests"]]
    tried = {tuple(match.groups()) for name in names if (match := re.match(r"(\w+) (fires|quiet): ", name))}
    assert tried == {(alert, way) for alert in ALERTS for way in ("fires", "quiet")}


@pytest.mark.parametrize("alert", ALERTS)
def test_alerts_say_what_to_do_and_hold_no_number_of_their_own(alert: str) -> None:
    """A number to compare with is in targets.yaml; only nothing at all may be compared with zero."""
    rule = ALERTS[alert]
    assert {"summary", "description"} <= set(rule["annotations"])
    assert rule["labels"]["severity"] in {"page", "ticket"}
    compared = re.findall(r"(?:[<>]=?|==)\s*(?:on \(\) group_left \(\)\s*)?\(?([\w:.]+)", rule["expr"])
    assert compared
    assert all(each == "0" or each.startswith("ailoop:target:") for each in compared), compared


@pytest.mark.usefixtures("busy")
def test_every_rule_is_evaluated(metrics: Prometheus) -> None:
    """Without an error, and all that the files hold."""

    def told() -> list[dict[str, Any]]:
        groups = [group for group in metrics.get("rules")["groups"] if not group["file"].endswith("slo.yaml")]
        return [rule for group in groups for rule in group["rules"]]

    known = eventually(told, lambda found: all(rule["health"] != "unknown" for rule in found))
    assert len(known) == sum(1 for name in ("targets", "recording", "alerts") for _ in rules(f"{name}.yaml"))
    assert [rule["lastError"] for rule in known if rule["health"] != "ok"] == []


@pytest.mark.usefixtures("busy")
def test_every_recording_rule_has_data(metrics: Prometheus) -> None:
    """Numbers, from a run that has something of all."""
    for rule in rules("recording.yaml"):
        name, labels = rule["record"], rule.get("labels", {})
        if name in UNBORN or selectors(rule["expr"]) <= UNBORN:
            continue
        matchers = ", ".join(f'{key}="{value}"' for key, value in labels.items())
        expression = f"{name}{{{matchers}}}"
        if name == SLOW:
            expression = rule["expr"].replace("offset 1h", "").replace(">= 10", "+ 1")
        eventually(lambda asked=expression: metrics.query(asked), lambda found: any(math.isfinite(n) for _, n in found))


@pytest.mark.usefixtures("busy")
@pytest.mark.parametrize("alert", [alert for alert in ALERTS if alert not in SELDOM])
def test_every_alert_reads_what_is_there(metrics: Prometheus, alert: str) -> None:
    """An alert on a metric that does not exist never fires; the expression itself is evaluated too."""
    metrics.query(ALERTS[alert]["expr"])
    read = selectors(ALERTS[alert]["expr"])
    eventually(lambda: {each for each in read if not metrics.query(each)}, lambda missing: missing <= {SLOW})


def test_what_no_healthy_run_shows_is_known_to_the_collector(jaeger_program: Path) -> None:
    """By its name without the ending that the translation for Prometheus adds."""
    told = jaeger_program.read_bytes()
    counters = {name for name in UNBORN if name.startswith("otelcol_")}
    assert counters
    assert [name for name in counters if name.removesuffix("_total").encode() not in told] == []


@pytest.mark.usefixtures("busy")
def test_an_alert_leads_to_the_traces_that_it_is_about(metrics: Prometheus, traces: Jaeger) -> None:
    """The timeouts of the run fire one; its link, asked of Jaeger's API, gives the traces with the timeouts."""

    def fired() -> list[dict[str, str]]:
        labelled = [(each["labels"], each["annotations"]) for each in metrics.get("alerts")["alerts"]]
        return [told for labels, told in labelled if (labels.get("job"), labels["alertname"]) == (WATCHED, TIMEOUTS)]

    # What Prometheus calls an increase is an estimate, too high as long as it has seen little of the series.
    said = re.compile(f"{WATCHED}: [678] AI timeouts in 10 minutes")
    (told,) = eventually(fired, lambda found: any(said.fullmatch(each["summary"]) for each in found), timeout=60)
    link = urlsplit(told["traces"])
    assert f"{link.scheme}://{link.netloc}{link.path}" == "http://127.0.0.1:16686/search"
    asked = {key: values[0] for key, values in parse_qs(link.query).items()}
    found = traces.search(asked.pop("service"), limit=int(asked.pop("limit")), **asked)
    assert len(found) == 6
    assert all(any(span.name == "ailoop.ai_timeout" for span in trace) for trace in found)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_what_an_alert_says_is_filled_in(promtool: str, case: Path, tmp_path: Path) -> None:
    """In the cases where it fires: expecting nothing makes promtool tell what it got, with templates expanded."""
    cases = yaml.safe_load(case.read_text())
    cases["rule_files"] = [str((case.parent / each).resolve()) for each in cases["rule_files"]]
    cases["tests"] = [each for each in cases["tests"] if " fires: " in each["name"]]
    alerts = []
    for each in cases["tests"]:
        alerts.append(each["name"].split()[0])
        when = each.pop("promql_expr_test")[0]["eval_time"]
        each["alert_rule_test"] = [{"eval_time": when, "alertname": alerts[-1], "exp_alerts": []}]
    (tmp_path / "fires.yaml").write_text(yaml.safe_dump(cases))
    command = [promtool, "test", "rules", str(tmp_path / "fires.yaml")]
    told = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    said = re.findall(r"Annotations:\{(.*)\}", told.stdout + told.stderr)
    assert len(said) >= len(alerts)
    for each in said:
        assert "error expanding" not in each
        assert "{{" not in each
    links = [link for each in said for link in re.findall(r'traces="([^"]*)"', each)]
    assert len(links) == sum("traces" in ALERTS[alert]["annotations"] for alert in alerts)
    for link in links:
        assert re.fullmatch(r"http://127\.0\.0\.1:16686/search\?service=a(&\w+=[\w.%]+)+", link), link
