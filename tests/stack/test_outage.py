"""Ten thousand messages while the collector is away for a time: each one in Jaeger, or counted as dropped."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
import requests

from collector.stack import Stack, free_ports, url
from tests.ailoop.process import STATELESS, Server, standin
from tests.stack.backends import Jaeger, eventually
from tests.stack.conftest import Tell
from tests.stack.flood import MESSAGES, ROOT, arrived, flood, shipped_environment

AWAY = 30.0  # seconds without a collector
PACE = 100.0  # messages a second to each of two servers


def serve(answering: dict[str, str], variables: dict[str, str]) -> Server:
    return Server(standin(STATELESS), answering | variables)


@pytest.mark.fault(
    "collector",
    theirs="The real collector is away for 30 s while 10,000 messages are answered",
    promise="All are in Jaeger; without the spool the rest is counted",
)
def test_a_collector_that_is_away_for_half_a_minute_costs_nothing_that_is_not_counted(
    jaeger_program: Path,
    tmp_path: Path,
    answering: dict[str, str],
    tell: Tell,
) -> None:
    """With what is shipped, nothing; with the SDK's queue and timeout and no spool, what was counted as dropped."""
    with Stack(tmp_path, free_ports(), with_prometheus=False) as stack:
        ours = shipped_environment(stack.ports.otlp, "shipped")
        unset = ("OTEL_EXPORTER_OTLP_TIMEOUT", "OTEL_BSP_MAX_QUEUE_SIZE")
        theirs = {name: value for name, value in ours.items() if name not in unset} | {
            "OTEL_SERVICE_NAME": "defaults",
            "AILOOP_OTEL_SPOOL": "false",
        }
        with serve(answering, ours) as shipped, serve(answering, theirs) as defaults:
            rates = asyncio.run(interrupted(stack, shipped.port, defaults.port))
            jaeger = Jaeger(stack.ports.jaeger)
            # What a server has kept on disk it sends by and by.
            eventually(lambda: arrived(jaeger, "shipped"), lambda names: names[ROOT] >= MESSAGES, timeout=120)
            eventually(lambda: spans_dropped(stack, "defaults"), timeout=60)
        # The last spans and counts were sent while they stopped.
        whole, rest, dropped = eventually(
            lambda: (arrived(jaeger, "shipped"), arrived(jaeger, "defaults"), spans_dropped(stack, "defaults")),
            lambda found: found[1].total() + found[2] >= found[0].total(),
            timeout=60,
        )
    tell(
        f"The collector was away for {AWAY:.0f} s at {min(rates):.0f} messages a second: {whole[ROOT]} of {MESSAGES} "
        f"with ailoop.env; with the SDK's defaults and no spool {rest[ROOT]}, and {dropped} spans counted as dropped"
    )
    assert min(rates) >= 50
    assert whole[ROOT] == MESSAGES
    assert dropped > 0
    assert rest.total() + dropped == whole.total()


def spans_dropped(stack: Stack, service: str) -> int:
    """What a server says that it dropped, as the collector shows it to Prometheus."""
    page = requests.get(f"{url(stack.ports.collector_metrics)}/metrics", timeout=10).text
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
