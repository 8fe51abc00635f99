"""Ten thousand messages through collector and Jaeger: each one there, none twice."""

from __future__ import annotations

import asyncio

from collector.stack import Stack
from tests.ailoop.process import STATELESS, serving, standin
from tests.stack.backends import Jaeger, eventually
from tests.stack.conftest import Tell
from tests.stack.flood import MESSAGES, ROOT, Costs, arrived, flood, pids, shipped_environment


def test_ten_thousand_messages_are_ten_thousand_traces(
    stack: Stack, traces: Jaeger, answering: dict[str, str], tell: Tell
) -> None:
    """As fast as the server answers; tells the rate and what each process took."""
    service = "ailoop-volume"
    with serving(standin(STATELESS), answering | shipped_environment(stack.ports.otlp, service)) as server:
        costs = Costs({"server": server.pid, **pids(stack.programs)})
        rate = asyncio.run(flood(server.port, MESSAGES))
        table = costs.table(MESSAGES)
        server.stop()
    tell(f"{MESSAGES} messages through collector and Jaeger, {rate:.0f} a second:\n{table}")
    names = eventually(lambda: arrived(traces, service), lambda found: found[ROOT] >= MESSAGES, timeout=60)
    assert names[ROOT] == MESSAGES
