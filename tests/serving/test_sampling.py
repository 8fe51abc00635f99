"""A server that samples by session: metrics are of all messages, traces of the sampled sessions and of what failed."""

from __future__ import annotations

import asyncio

from ailoop_otel import names
from tests.ailoop.client import connected
from tests.ailoop.process import Installation
from tests.serving.conftest import Serve
from tests.serving.folder import Folder

PLAIN = "hello [[say chunks=3]]"
FAILED = "bad [[fail status=500]]"


async def test_of_an_unsampled_session_only_the_failed_message_is_a_trace(
    stateless: Installation, serve: Serve, folder: Folder
) -> None:
    """It is there with its model call and says why; the metric counts all four messages, and the events are there."""
    server = serve(
        stateless,
        OTEL_TRACES_SAMPLER="ailoop_session",
        OTEL_TRACES_SAMPLER_ARG="share=0,failures=10",
        OTEL_METRIC_EXPORT_INTERVAL="500",
    )
    async with connected(server.port, server.dialect) as client:
        await client.start_session()
        for message in (PLAIN, FAILED, PLAIN, PLAIN):
            await client.ask(message)
        (root,) = await asyncio.to_thread(folder.exchanges, 1)
        await asyncio.to_thread(folder.wait, lambda folder: _counted(folder) == 4)
    assert root.attributes[names.OUTCOME] == "ai_error"
    assert root.attributes[names.SAMPLING_REASON] == "failure"
    assert {span.trace for span in folder.spans()} == {root.trace}
    assert any(span.name.startswith("chat") for span in folder.spans())


def _counted(folder: Folder) -> int:
    return sum(int(point["count"]) for point in folder.points(names.METRIC_EXCHANGE_DURATION.name))
