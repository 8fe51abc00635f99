"""The row about a load test: its own figures (`ailoop-otel measure --otlp`) beside the server's, by one definition."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from collector.grafana.expressions import OK, SERVERS, Query, now, per_second, quantile
from collector.grafana.panels import lines
from collector.grafana.users import DURATION, FIRST_CHUNK

Panel = Any
# All load tests of the time shown, without their warm-up, as in their reports.
CLIENTS: Final = 'job="ailoop-otel-measure"'
MEASURED: Final = f'{CLIENTS}, ailoop_load_phase!="warmup"'


def load() -> Iterator[Panel]:
    """Load test: client beside server."""
    what = "The client counts from when the message was planned to be sent, the server from when it received it."
    times = (
        ("Load test: first chunk", "ailoop_client_first_chunk_duration_seconds", FIRST_CHUNK),
        ("Load test: whole answer", "ailoop_client_completion_duration_seconds", DURATION),
    )
    for title, clients, servers in times:
        queries = []
        for share in (0.5, 0.95):
            for side, histogram, chosen in (("client", clients, MEASURED), ("server", servers, SERVERS)):
                query = quantile(share, histogram, "", f"{chosen}, {OK}")
                queries.append(query.called(f"{side} {query.legend}"))
        yield lines(title, f"{what} Failures are left out.", queries, "s")
    yield lines(
        "Load test: messages",
        "Per second: offered is what was due by the plan, sent what the load generator sent of it, slash commands "
        "among both. Answered is without failures and commands.",
        [
            per_second("ailoop_client_messages_offered_total", "", CLIENTS).called("offered"),
            per_second("ailoop_client_send_delay_seconds_count", "", CLIENTS).called("sent"),
            per_second("ailoop_client_exchanges_total", "", f"{CLIENTS}, {OK}").called("client: answered"),
            per_second("ailoop:exchanges:total", "", f"{SERVERS}, {OK}").called("server: answered"),
        ],
        "mps",
    )
    yield lines(
        "Load test: errors per 1,000",
        "Exchanges that failed, of 1,000 that ended.",
        [
            _errors("ailoop_client_exchanges_total", MEASURED).called("client"),
            _errors("ailoop:exchanges:total", SERVERS).called("server"),
        ],
        "short",
    )
    sessions = Query(f"sum (ailoop_client_sessions{{{CLIENTS}}})", "client: connected")
    yield lines(
        "Load test: sessions",
        "Those that the load generator holds, and those that the server has in use.",
        [sessions, now("ailoop_session_active").called("server: in use")],
        "short",
    )
    late = quantile(0.95, "ailoop_client_send_delay_seconds", "", MEASURED)
    yield lines(
        "Load test: sent late by, p95",
        "How late a message was sent: it is in the client's times. Where it is long, the load generator or its "
        "sessions were the bottleneck.",
        [late],
        "s",
    )


def _errors(counter: str, chosen: str) -> Query:
    ended = per_second(counter, "", chosen).expression
    failed = per_second(counter, "", f'{chosen}, ailoop_exchange_outcome!="ok"').expression
    return Query(f"1000 * ({failed} or 0 * {ended}) / ({ended} > 0)")
