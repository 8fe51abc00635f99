"""The dashboard of many servers, the worst first: `make dashboard` writes it to fleet.json."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.models.dashboard import VariableRefresh, VariableSort

from collector.grafana.dashboard import EVERYTHING, datasource, encoded
from collector.grafana.expressions import Query, target
from collector.grafana.panels import CURSOR, SOURCE, lines, number, rows

Panel = Any
WRITTEN: Final = Path(__file__).parent / "fleet.json"
ENVIRONMENT: Final = "deployment_environment_name"
# What slo.yaml records of services, and of the server processes that are chosen.
CHOSEN: Final = f'job=~"$job", {ENVIRONMENT}=~"$environment"'
INFO: Final = f"ailoop:server:info{{{CHOSEN}}}"
SERVER: Final = {
    "job": "Service",
    "host_name": "Host",
    "instance": "Process",
    "service_version": "Version",
    "cloud_region": "Region",
}
# Counted from zero, as a first message shows only so.
FIRST_CHUNK: Final = "ailoop:first_chunk_seconds:bucket"
WORST: Final = 20


def text() -> str:
    """The dashboard as Grafana's JSON."""
    made = dashboard.Dashboard("AILoop fleet").uid("ailoop-fleet").tags(["ailoop"]).editable()
    made.description("All AILoop servers: is the objective met, and which servers, versions and regions are the worst?")
    made.time("now-6h", "now").refresh("1m").timezone("browser").tooltip(CURSOR)
    for variable in _variables():
        made.with_variable(variable)
    parts = (
        ("The objective", _objective()),
        ("The worst servers", _worst()),
        ("By version", _compared("service_version", "version")),
        ("By region", _compared("cloud_region", "region")),
    )
    for title, panels in parts:
        made.with_row(dashboard.Row(title))
        for panel in panels:
            made.with_panel(panel)
    return encoded(made.build())


def _variables() -> Iterator[Any]:
    yield datasource()
    for name, title, label in (("job", "Service", "job"), ("environment", "Environment", ENVIRONMENT)):
        known = dashboard.QueryVariable(name).label(title).query(f"label_values(ailoop:server:info, {label})")
        known.datasource(SOURCE).refresh(VariableRefresh.ON_TIME_RANGE_CHANGED).sort(VariableSort.ALPHABETICAL_ASC)
        yield known.multi(True).include_all(True).all_value(".*").current(EVERYTHING)


def _objective() -> Iterator[Panel]:
    left = f"ailoop:slo_budget:left{{{CHOSEN}}}"
    messages = Query(f"sum (ailoop:slo_messages:increase_5m{{{CHOSEN}}}) / 300")
    shown = Query(
        f"sum (ailoop:slo_bad:increase_5m{{{CHOSEN}}}) / (sum (ailoop:slo_messages:increase_5m{{{CHOSEN}}}) > 0)"
    )
    alerts = Query(
        f'count(ALERTS{{alertname=~"AILoop(Objective|Part).+", alertstate="firing", {CHOSEN}}}) or vector(0)'
    )
    idle = "no traffic"
    yield number("Alerts of the objective", "Those that fire now say what to do.", alerts, "short", width=4, bad=1)
    yield number(
        "Servers", "Processes that told of themselves in the last 5 minutes.", Query(f"count({INFO})"), "short", width=4
    )
    yield number("Messages", "That ended, per second.", messages, "mps", width=4)
    yield number(
        "Bad messages", "Late or failed, of those of the last 5 minutes.", shown, "percentunit", width=4, none=idle
    )
    least = "Of the service that has the least: the part of the bad messages of 30 days that has not been yet."
    yield number("Budget left", least, Query(f"min({left})"), "percentunit", width=4, none=idle)
    objective = Query("ailoop:target:slo_share")
    yield number("Objective", "targets.yaml sets it, and what is in time.", objective, "percentunit", width=4)
    burn = Query(f"ailoop:slo:burn{{{CHOSEN}}}", f"{{{{job}}}} {{{{{ENVIRONMENT}}}}} {{{{window}}}}")
    speed = (
        "At 1 the budget is used up after 30 days; alerts begin at 14.4 over an hour, 6 over 6 hours, 1 over 3 days."
    )
    yield lines("Burn rate", speed, [burn], "short", width=16)
    services = {"job": "Service", ENVIRONMENT: "Environment"}
    yield rows("Budget left, the least first", least, Query(f"sort({left})"), services, "percentunit")


def _worst() -> Iterator[Panel]:
    bad = "ailoop:server_bad:increase_5m / (ailoop:server_messages:increase_5m > 0)"
    p95 = f"histogram_quantile(0.95, sum by (job, instance, le) (rate({FIRST_CHUNK}[5m]))) >= 0"
    silent = "sum by (job, instance) (ailoop_exchange_silent)"
    memory = "sum by (job, instance) (process_memory_usage_bytes)"
    sessions = "sum by (job, instance) (ailoop_session_active)"
    tables = (
        ("Bad messages by server", "Late or failed, of those of the last 5 minutes.", bad, "percentunit"),
        ("First chunk by server, p95", "Over 5 minutes.", p95, "s"),
        (
            "Event loop by server: standing still",
            "Over 5 minutes.",
            "ailoop:event_loop:blocked_share_5m",
            "percentunit",
        ),
        ("Silent exchanges by server", "AI silent beyond half its deadline, at this moment.", silent, "short"),
        ("Memory by server", "Resident.", memory, "bytes"),
        ("Sessions by server", "In use.", sessions, "short"),
    )
    for title, description, expression, unit in tables:
        yield rows(title, f"The {WORST} highest. {description}", _highest(expression), SERVER, unit, width=12)


def _highest(by_server: str) -> Query:
    """The servers with the highest values, with what is known of them."""
    known = f"({by_server}) * on (job, instance) group_left ({_about()}) {INFO}"
    return Query(f"sort_desc(topk({WORST}, {known}))")


def _about() -> str:
    return ", ".join(label for label in SERVER if label not in ("job", "instance"))


def _compared(label: str, part: str) -> Iterator[Panel]:
    """Versions or regions beside each other."""
    named = f"{{{{{label}}}}}"
    bad, messages = (f"sum by ({label}) (ailoop:slo_{kind}:increase_5m{{{CHOSEN}}})" for kind in ("bad", "messages"))
    described = "Late or failed, of the messages of 5 minutes."
    share = Query(f"{bad} / ({messages} > 0)", named)
    allowed = Query("1 - ailoop:target:slo_share", "target")
    yield lines(f"Bad messages by {part}", described, [share, allowed], "percentunit")
    joined = f"rate({FIRST_CHUNK}[$__rate_interval]) * on (job, instance) group_left ({label}) {INFO}"
    p95 = Query(f"histogram_quantile(0.95, sum by ({label}, le) ({joined}))", named)
    bound = target("slo_first_chunk_seconds")
    yield lines(f"First chunk by {part}, p95", "The target is what is in time.", [p95, bound], "s")
    yield lines(f"Messages by {part}", "Per second.", [Query(f"{messages} / 300", named)], "mps", stacked=True)


if __name__ == "__main__":
    WRITTEN.write_text(text(), encoding="utf-8")
