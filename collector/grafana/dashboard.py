"""The dashboard of AILoop's servers: `make dashboard` writes it to ailoop.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import (
    DashboardLinkType,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from collector.grafana import load, servers, users
from collector.grafana.panels import CURSOR, SOURCE

WRITTEN: Final = Path(__file__).parent / "ailoop.json"
EVERYTHING: Final = VariableOption(text="All", value="$__all")
_ROWS: Final = (
    ("Is it well now?", users.well),
    ("How long people wait", users.latency),
    ("AI timeouts and errors", users.errors),
    ("Model", users.model),
    ("Tokens and cost", users.usage),
    ("Agents and tools", users.agents),
    ("Sessions", servers.sessions),
    ("JSON-RPC", servers.calls),
    ("Server", servers.process),
    ("Load test: client beside server", load.load),
    ("Telemetry itself", servers.telemetry),
)


def text() -> str:
    """The dashboard as Grafana's JSON."""
    return encoded(_built())


def encoded(built: Any) -> str:
    """A dashboard that is built, as Grafana's JSON."""
    made = json.loads(json.dumps(built, cls=JSONEncoder))
    # Panels have numbers, by which links name them: the same as long as the order is.
    for number, panel in enumerate(made["panels"], start=1):
        panel["id"] = number
    return json.dumps(made, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def _built() -> Any:
    made = dashboard.Dashboard("AILoop").uid("ailoop").tags(["ailoop"]).editable()
    made.description("An AILoop server, as those who chat with it and those who run it see it.")
    made.time("now-1h", "now").refresh("10s").timezone("browser").tooltip(CURSOR)
    for variable in _variables():
        made.with_variable(variable)
    link = dashboard.DashboardLink("Traces in Jaeger").type(DashboardLinkType.LINK).target_blank(True)
    made.link(link.icon("external link").url("${jaeger}/search?service=${job}&lookback=1h&limit=50"))
    for title, panels in _ROWS:
        made.with_row(dashboard.Row(title))
        for panel in panels():
            made.with_panel(panel)
    return made.build()


def _variables() -> list[Any]:
    jaeger = "http://127.0.0.1:16686"
    servers_known = "label_values(process_memory_usage_bytes, job)"
    processes_known = 'label_values(process_memory_usage_bytes{job="$job"}, instance)'
    job = dashboard.QueryVariable("job").label("Service").query(servers_known).sort(VariableSort.ALPHABETICAL_ASC)
    job.current(VariableOption(text="ailoop", value="ailoop"))
    instance = dashboard.QueryVariable("instance").label("Server process").query(processes_known)
    instance.multi(True).include_all(True).all_value(".*").current(EVERYTHING)
    for variable in (job, instance):
        variable.datasource(SOURCE).refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
    return [
        datasource(),
        job,
        instance,
        dashboard.TextBoxVariable("jaeger").label("Jaeger").default_value(jaeger),
    ]


def datasource() -> Any:
    """The variable for the Prometheus that is asked."""
    prometheus = VariableOption(text="Prometheus", value="ailoop-prometheus")
    return dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus").current(prometheus)


if __name__ == "__main__":
    WRITTEN.write_text(text(), encoding="utf-8")
