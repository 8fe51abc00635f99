"""The rows about those who chat: is it well now, how long they wait, what goes wrong, and the AI behind it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from collector.grafana.expressions import (
    OK,
    SERVERS,
    SERVICE,
    Query,
    buckets,
    failures,
    mean,
    now,
    per_minute,
    per_second,
    quantile,
    shown,
    target,
)
from collector.grafana.panels import heat, lines, number, rows

Panel = Any
FIRST_CHUNK: Final = "ailoop_exchange_time_to_first_chunk_seconds"
DURATION: Final = "ailoop_exchange_duration_seconds"
MODEL: Final = "gen_ai_client_inference"
USAGE: Final = f"{MODEL}_usage"
ANSWERED: Final = f"{SERVERS}, {OK}"


def well() -> Iterator[Panel]:
    """Is it well now?"""
    alerts = Query('count(ALERTS{alertname=~"AILoop.+", alertstate="firing"}) or vector(0)')
    active, silent, sessions = (
        now(f"ailoop_{name}") for name in ("exchange_active", "exchange_silent", "session_active")
    )
    rate = Query(f"ailoop:errors:per_1000_5m{{{SERVICE}}}", "errors per 1,000")
    p50, p95, p99 = (Query(f"ailoop:first_chunk_seconds:{p}_5m{{{SERVICE}}}", p) for p in ("p50", "p95", "p99"))
    idle = "no traffic"
    yield number("Alerts", "Alerts that fire now; the description of each says what to do.", alerts, "short", bad=1)
    yield number("Exchanges open", "Messages whose answer is not complete yet.", active, "short")
    yield number(
        "Silent", "Exchanges whose AI has been silent beyond half its deadline, at this moment.", silent, "short", bad=1
    )
    yield number("Sessions", "Sessions that a connection uses.", sessions, "short")
    messages = per_second("ailoop:exchanges:total", "", ANSWERED)
    answered = "Answers completed without a failure, per second. A slash command is none."
    yield number("Messages per second", answered, messages, "mps", width=4)
    hung = "Exchanges of the last 5 minutes that did not end well, of 1,000; those that hang are among them."
    yield number("Errors per 1,000", hung, rate, "short", width=4, none=idle)
    first = "19 of 20 answers of the last 5 minutes had their first text within this time; failures are left out."
    yield number("First chunk, p95", first, p95, "s", width=4, none=idle)
    percentiles = "Percentiles over 5 minutes. The target is set in targets.yaml."
    wanted = target("first_chunk_p95_seconds")
    yield lines("First chunk against its target", percentiles, [p50, p95, p99, wanted], "s")
    yield lines("Errors per 1,000 against the target", hung, [rate, target("errors_per_1000")], "short")
    yield lines(
        "Exchanges and sessions",
        "Open exchanges, the silent ones of them, and sessions in use.",
        [active.called("exchanges"), silent.called("silent"), sessions.called("sessions")],
        "short",
    )


def latency() -> Iterator[Panel]:
    """How long people wait."""
    yield lines(
        "First chunk",
        "Message received until the first text of the AI's answer, failures left out. A dot is one message: it leads "
        "to its trace.",
        _percentiles(FIRST_CHUNK),
        "s",
        width=12,
    )
    yield lines(
        "Whole answer",
        "Message received until its answer was complete, tools included, failures left out. A dot leads to its trace.",
        _percentiles(DURATION),
        "s",
        width=12,
    )
    bands = "Two bands are two kinds of messages, which a percentile hides."
    yield heat("First chunk, how many", bands, buckets(FIRST_CHUNK, ANSWERED))
    never = "Failures too: a band at the deadline is answers that never came."
    yield heat("Answers and failures, how many", never, buckets(DURATION))
    yield lines(
        "First chunk by agent and model, p95",
        "Which agent, and which model behind it, makes people wait.",
        [quantile(0.95, FIRST_CHUNK, "gen_ai_agent_name, gen_ai_request_model", ANSWERED)],
        "s",
    )


def _percentiles(histogram: str) -> list[Query]:
    p50, p95, p99 = (quantile(share, histogram, "", ANSWERED) for share in (0.5, 0.95, 0.99))
    return [p50, p95.pointed, p99]


def errors() -> Iterator[Panel]:
    """What goes wrong."""
    yield lines(
        "Errors by kind",
        "Exchanges a minute that did not end well. ai_error and cut are the provider's, though the server says that "
        "all is well; disconnected is clients that left.",
        [per_minute("ailoop:exchanges:total", "ailoop_exchange_outcome", f'{SERVERS}, ailoop_exchange_outcome!="ok"')],
        "cpm",
        stacked=True,
    )
    outcomes = per_minute("ailoop:exchanges:total", "ailoop_exchange_outcome")
    yield lines("Exchanges by outcome", "All that ended, per minute.", [outcomes], "cpm", stacked=True)
    yield rows(
        "Errors by type, in the time shown",
        "The HTTP status if there was one, else the exception's class. An AI timeout is one as soon as it is noticed, "
        "whatever came of its exchange.",
        shown("ailoop:errors:total", "ailoop_exchange_outcome, error_type"),
        {"ailoop_exchange_outcome": "Outcome", "error_type": "Type"},
    )
    phase = "ailoop_timeout_phase"
    yield lines(
        "AI timeouts by phase",
        "Per minute. first_chunk: nothing came; stall: silence between two chunks; total: too long in all.",
        [per_minute("ailoop:timeouts:total", phase)],
        "cpm",
        stacked=True,
    )
    noticed = quantile(0.95, "ailoop_ai_timeout_detection_delay_seconds", phase)
    yield lines("Timeouts: noticed after, p95", "From the deadline until it was noticed.", [noticed], "s")
    yield lines(
        "Timeouts: client told after, p95",
        "From noticing until the frame that told the client. For so long people look at nothing.",
        [quantile(0.95, "ailoop_ai_timeout_report_delay_seconds", phase)],
        "s",
    )


def model() -> Iterator[Panel]:
    """The AI behind it."""
    name = "gen_ai_request_model"
    calls = per_minute(f"{MODEL}_duration_seconds_count", name)
    yield lines("Model calls", "Requests to the model, per minute.", [calls], "cpm")
    yield lines(
        "Model: first chunk, p95",
        "Request sent until the model's first chunk. What a message's takes longer is the server's.",
        [quantile(0.95, f"{MODEL}_time_to_first_chunk_seconds", name).pointed],
        "s",
    )
    whole = quantile(0.95, f"{MODEL}_duration_seconds", name).pointed
    yield lines("Model: whole answer, p95", "Request sent until the last line of its stream.", [whole], "s")
    by_type = "Per minute, by error type: an HTTP status, or how the stream broke."
    yield lines("Failed model calls", by_type, [failures('span_name=~"chat .+"')], "cpm", stacked=True)
    gaps = quantile(0.95, f"{MODEL}_time_per_output_chunk_seconds", name)
    yield lines("Model: between chunks, p95", "From one chunk of an answer to the next.", [gaps], "s")
    streamed = per_second(f"{MODEL}_time_per_output_chunk_seconds_sum", name).expression
    written = per_second(f"{USAGE}_output_tokens_total", name)
    pace = Query(f"{streamed} / ({written.expression} > 0)", written.legend)
    yield lines("Model: for each token", "The time of streaming, divided by the tokens that came.", [pace], "s")


def usage() -> Iterator[Panel]:
    """Tokens and cost: what is paid for, as the provider counts it."""
    agent = "gen_ai_agent_name, gen_ai_request_model"
    kinds = {
        "input": "input_tokens",
        "of it from the cache": "cache_read_input_tokens",
        "of it into the cache": "cache_write_input_tokens",
        "output": "output_tokens",
        "of it reasoning": "reasoning_output_tokens",
    }
    totals = [per_second(f"{USAGE}_{kind}_total").called(legend) for legend, kind in kinds.items()]
    yield lines("Tokens", "Per second.", totals, "suffix: token/s")
    read, asked = (
        per_second(f"{USAGE}_{kind}_total").expression for kind in ("cache_read_input_tokens", "input_tokens")
    )
    hits = Query(f"{read} / ({asked} > 0)", "cached")
    yield lines("Cache hits", "The part of the input tokens that the provider had cached.", [hits], "percentunit")
    long = quantile(0.95, f"{MODEL}_operation_input_tokens", "gen_ai_request_model")
    yield lines("Input tokens of a call, p95", "Input that grows is a history that grows.", [long], "suffix: token")
    spent = "Of the calls whose cost is known: what the provider sent, else computed from AILOOP_OTEL_PRICES."
    cost = per_second("ailoop:cost:total", "gen_ai_request_model, ailoop_cost_source")
    hourly = Query(f"3600 * {cost.expression}", cost.legend)
    yield lines("Cost by model, per hour", spent, [hourly], "currencyUSD", stacked=True)
    day = [Query(f"ailoop:cost:increase_1d{{{SERVICE}}}", "spent"), target("cost_in_1d")]
    yield lines(
        "Cost of a day against the budget", "The last 24 hours. The budget is set in targets.yaml.", day, "currencyUSD"
    )
    yield rows(
        "Cost by agent and model, in the time shown",
        spent,
        shown("ailoop:cost:total", agent),
        {"gen_ai_agent_name": "Agent", "gen_ai_request_model": "Model"},
    )


def agents() -> Iterator[Panel]:
    """Agents and tools."""
    kinds = (
        ("Agents", "invoke_agent", "gen_ai_agent_name", "An agent's work on one message."),
        ("Tools", "execute_tool", "gen_ai_tool_name", "One tool call."),
    )
    for title, operation, name, what in kinds:
        metric = f"gen_ai_{operation}_duration_seconds"
        yield lines(f"{title}: how many", f"{what} Per minute.", [per_minute(f"{metric}_count", name)], "cpm")
        yield lines(f"{title}: how long, p95", what, [quantile(0.95, metric, name)], "s")
        failed = failures(f'span_name=~"{operation} .+"')
        yield lines(f"{title}: failures", f"{what} Per minute, by error type.", [failed], "cpm", stacked=True)
    for title, kind in (
        ("Model calls of an agent's work", "inference_calls"),
        ("Tool calls of an agent's work", "tool_calls"),
    ):
        yield lines(title, "The mean.", [mean(f"gen_ai_invoke_agent_{kind}", "gen_ai_agent_name")], "short", width=12)
