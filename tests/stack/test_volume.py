"""Ten thousand messages through collector and Jaeger: each one there, none twice, also when the collector was away."""

from __future__ import annotations

import asyncio
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from collector.stack import Stack, free_places
from collector.stack.places import url
from tests.ailoop.process import STATELESS, Server, serving, standin
from tests.stack.backends import Jaeger, eventually
from tests.stack.flood import Costs, flood, pids, provider_process, shipped_environment

MESSAGES = 10_000
ROOT = "sendUserMessage"
AWAY = 30.0  # seconds without a collector
PACE = 80.0  # messages a second to each of two servers
MOST = 10 * MESSAGES


@pytest.fixture(scope="module")
def answering() -> Iterator[dict[str, str]]:
    """A provider that answers in three chunks."""
    with provider_process("say chunks=3 gap=0.002") as variables:
        yield variables


def arrived(jaeger: Jaeger, service: str) -> Counter[str]:
    """How many spans of each name there are in Jaeger, and under `roots` how many traces have a message's root.

    Fails if there is one span twice.
    """
    names: Counter[str] = Counter()
    seen: set[tuple[str, str]] = set()
    for trace in jaeger.search(service, limit=MOST, lookback="1h"):
        for span in trace:
            assert (span.trace, span.id) not in seen, f"{span.name} is there twice"
            seen.add((span.trace, span.id))
            names[span.name.split()[0]] += 1
    return names


def told(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Print what a person who runs the tests wants to see, in spite of the capture."""
    with capsys.disabled():
        sys.stdout.write(f"\n{text}\n")


def test_ten_thousand_messages_are_ten_thousand_traces(
    stack: Stack, traces: Jaeger, answering: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """As fast as the server answers; prints the rate and what each process took."""
    service = "ailoop-volume"
    with serving(standin(STATELESS), answering | shipped_environment(stack.places.otlp, service)) as server:
        costs = Costs({"server": server.pid, **pids(stack.programs)})
        rate = asyncio.run(flood(server.port, MESSAGES))
        table = costs.table(MESSAGES)
        server.stop()
    told(f"{MESSAGES} messages through collector and Jaeger, {rate:.0f} a second:\n{table}", capsys)
    names = eventually(lambda: arrived(traces, service), lambda found: found[ROOT] >= MESSAGES, timeout=60)
    assert names[ROOT] == MESSAGES


def serve(answering: dict[str, str], variables: dict[str, str]) -> Server:
    return Server(standin(STATELESS), answering | variables)


def test_a_collector_that_is_away_for_half_a_minute_costs_nothing_that_is_not_counted(
    jaeger_program: Path,
    tmp_path: Path,
    answering: dict[str, str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With the queue and the timeout that are shipped, nothing; with the SDK's own, what was counted as dropped."""
    with Stack(tmp_path, free_places(), with_prometheus=False) as stack:
        ours = shipped_environment(stack.places.otlp, "shipped")
        unset = ("OTEL_EXPORTER_OTLP_TIMEOUT", "OTEL_BSP_MAX_QUEUE_SIZE")
        theirs = {name: value for name, value in ours.items() if name not in unset} | {"OTEL_SERVICE_NAME": "defaults"}
        with serve(answering, ours) as shipped, serve(answering, theirs) as defaults:
            rates = asyncio.run(interrupted(stack, shipped.port, defaults.port))
            jaeger = Jaeger(stack.places.jaeger)
            whole = eventually(lambda: arrived(jaeger, "shipped"), lambda names: names[ROOT] >= MESSAGES, timeout=120)
            dropped = eventually(lambda: spans_dropped(stack, "defaults"), timeout=60)
        rest = eventually(
            lambda: arrived(jaeger, "defaults"), lambda names: names.total() + dropped >= whole.total(), timeout=60
        )
    told(
        f"The collector was away for {AWAY:.0f} s at {min(rates):.0f} messages a second: {whole[ROOT]} of {MESSAGES} "
        f"with ailoop.env; with the SDK's defaults {rest[ROOT]}, and {dropped} spans counted as dropped",
        capsys,
    )
    assert min(rates) >= 50
    assert whole[ROOT] == MESSAGES
    assert dropped > 0
    assert rest.total() + dropped == whole.total()


def spans_dropped(stack: Stack, service: str) -> int:
    """What a server says that it dropped, as the collector shows it to Prometheus."""
    page = requests.get(f"{url(stack.places.collector_metrics)}/metrics", timeout=10).text
    found = re.findall(rf'^ailoop_otel_spans_dropped_total\{{.*job="{service}".*\}} ([\d.e+]+)', page, re.MULTILINE)
    return int(sum(map(float, found)))


async def interrupted(stack: Stack, *ports: int) -> list[float]:
    """Flood servers, with the collector away in the middle; returns the rate that each reached."""
    floods = [asyncio.create_task(flood(port, MESSAGES, PACE)) for port in ports]
    await asyncio.sleep(MESSAGES / PACE / 3)
    await asyncio.to_thread(stack.collector.stop)
    await asyncio.sleep(AWAY)
    stack.collector.start()
    await asyncio.to_thread(stack.collector.wait)
    return await asyncio.gather(*floods)
