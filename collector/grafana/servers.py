"""The rows about the servers: sessions, calls, the process, and the telemetry itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from collector.grafana.expressions import (
    SERVERS,
    Query,
    failures,
    mean,
    now,
    per_minute,
    per_second,
    quantile,
    shown,
    target,
)
from collector.grafana.panels import lines, number

Panel = Any
COLLECTOR: Final = 'job=~"collector|jaeger"'


def sessions() -> Iterator[Panel]:
    """Sessions and connections."""
    yield lines(
        "Sessions per server against the measured limit",
        "In use, per process. `ailoop-otel measure concurrent_sessions` measures the limit, targets.yaml holds it.",
        [now("ailoop_session_active", "instance"), target("sessions")],
        "short",
    )
    retained = now("ailoop_session_retained", "instance")
    left = "Left and never stopped: the server keeps them in memory for ever."
    yield lines("Sessions retained", left, [retained], "short")
    yield lines("Connections", "WebSockets open.", [now("ailoop_connection_active", "instance")], "short")
    reason = "ailoop_session_end_reason"
    yield lines(
        "Sessions ended",
        "Per minute, by reason. disconnected: the client left without stopping it.",
        [per_minute("ailoop_session_duration_seconds_count", reason)],
        "cpm",
        stacked=True,
    )
    lives = [quantile(share, "ailoop_session_duration_seconds") for share in (0.5, 0.95)]
    yield lines("Sessions: how long", "A session's life, of those that ended.", lives, "s")
    turns = mean("ailoop_session_turns", reason)
    yield lines("Sessions: turns", "The mean number of messages in a session, of those that ended.", [turns], "short")


def calls() -> Iterator[Panel]:
    """JSON-RPC."""
    method = "rpc_method"
    count = per_minute("rpc_server_call_duration_seconds_count", method)
    yield lines("Calls", "JSON-RPC requests per minute, by method.", [count], "cpm")
    times = quantile(0.95, "rpc_server_call_duration_seconds", method).pointed
    yield lines("Calls: how long, p95", "A request until its response. A dot leads to its trace.", [times], "s")
    yield lines(
        "Calls: failures",
        "Per minute, by error type; of sendUserMessage also what the server hides.",
        [failures('span_kind="SPAN_KIND_SERVER"')],
        "cpm",
        stacked=True,
    )


def process() -> Iterator[Panel]:
    """The server's process."""
    memory = now("process_memory_usage_bytes", "instance")
    peak = now("ailoop_process_memory_peak_bytes", "instance").called("{{instance}} peak")
    yield lines("Memory", "Resident memory, and the most it ever was.", [memory, peak], "bytes")
    yield lines(
        "Memory per session",
        "What each session that was opened in the last hour added, once there were ten.",
        [
            Query(f"ailoop:memory:growth_bytes_per_session_1h{{{SERVERS}}}", "{{instance}}"),
            target("memory_per_session_bytes"),
        ],
        "bytes",
    )
    cores = per_second("process_cpu_time_seconds_total", "instance, cpu_mode")
    yield lines(
        "CPU", "100 % is one core: Python's threads share one, more or less.", [cores], "percentunit", highest=1
    )
    yield lines(
        "Event loop: standing still",
        "The part of the time, over 5 minutes, in which the server served nobody.",
        [
            Query(f"ailoop:event_loop:blocked_share_5m{{{SERVERS}}}", "{{instance}}"),
            target("event_loop_blocked_share"),
        ],
        "percentunit",
    )
    lag = [quantile(share, "ailoop_event_loop_lag_seconds") for share in (0.5, 0.99)]
    yield lines("Event loop: late by", "How late a timer fires.", lag, "s")
    descriptors = now("process_open_file_descriptor_count", "instance")
    yield lines("File descriptors", "Open ones; each connection is one.", [descriptors], "short")
    generation = "cpython_gc_generation"
    yield lines(
        "Garbage collections",
        "Per minute, by generation; those of the oldest stop the process for longest.",
        [per_minute("cpython_gc_collections_total", generation).called(f"generation {{{{{generation}}}}}")],
        "cpm",
        width=12,
    )
    freed = per_second("cpython_gc_collected_objects_total").called("freed")
    stuck = per_second("cpython_gc_uncollectable_objects_total").called("not to be freed")
    yield lines(
        "Garbage", "Objects per second that were freed, and that could not be.", [freed, stuck], "ops", width=12
    )


def telemetry() -> Iterator[Panel]:
    """The telemetry itself."""
    counted = (
        ("Spans dropped", "Spans that never reached the collector, in the time shown.", "spans_dropped"),
        ("Faults of ailoop-otel", "Caught before they reached the server, in the time shown.", "internal_errors"),
        ("Frames unmatched", "Frames of no known exchange, in the time shown.", "frames_unmatched"),
    )
    for title, description, name in counted:
        yield number(title, description, shown(f"ailoop_otel_{name}_total"), "short", width=6, bad=1)
    away = Query('count(up{job=~"ailoop|collector|jaeger"} == 0) or vector(0)')
    yield number("Not answering", "Of collector (twice) and Jaeger, to Prometheus.", away, "short", width=6, bad=1)
    accepted = per_second("otelcol_receiver_accepted_spans_total", "job", COLLECTOR)
    sent = per_second("otelcol_exporter_sent_spans_total", "job", COLLECTOR)
    yield lines(
        "Spans from servers to Jaeger",
        "Per second, accepted by each program and sent on: what Jaeger sends goes to its storage.",
        [accepted.called("{{job}} accepted"), sent.called("{{job}} sent")],
        "ops",
    )
    yield lines(
        "Refused and lost",
        "In 10 minutes. What is refused is tried again; what is lost is not.",
        [
            Query(f"ailoop:collector_refused:increase_10m{{{COLLECTOR}}}", "{{job}} refused {{signal}}"),
            Query(f"ailoop:collector_failed:increase_10m{{{COLLECTOR}}}", "{{job}} lost {{signal}}"),
        ],
        "short",
    )
    queue = [Query(f"ailoop:collector_queue:share{{{COLLECTOR}}}", "{{job}}"), target("queue_share")]
    yield lines("The collector's queue for Jaeger", "The part of it that is full.", queue, "percentunit", highest=1)
    memory = Query(f"otelcol_process_memory_rss_bytes{{{COLLECTOR}}}", "{{job}}")
    limits = "Resident memory. collector.yaml and jaeger.yaml limit it."
    yield lines("Collector and Jaeger: memory", limits, [memory], "bytes", width=12)
    cores = per_second("otelcol_process_cpu_seconds_total", "job", COLLECTOR)
    yield lines("Collector and Jaeger: CPU", "100 % is one core.", [cores], "percentunit", width=12)
