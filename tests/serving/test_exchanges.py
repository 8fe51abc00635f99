"""Messages to a running server, and the traces that come of them while the socket is open."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from ailoop_otel import names
from tests.ailoop.client import connected
from tests.ailoop.exchanges import Exchange
from tests.ailoop.process import Installation
from tests.ailoop.provider import Provider
from tests.ailoop.served import Served
from tests.serving.conftest import Serve
from tests.serving.folder import Folder, Span

# The clocks of client, server and provider are one; the wall's, by which spans are told, may be corrected meanwhile.
CLOSE = 0.005
PLAIN = "hello [[say chunks=5 delay=0.1 gap=0.03]]"
FAILED = "bad [[fail status=500]]"
TOOL = 'look [[tool name=list_directory arguments={"path": "."} delay=0.1]] [[say chunks=4 delay=0.2 gap=0.02]]'


def agrees(root: Span, exchange: Exchange, answers: Sequence[Served]) -> None:
    """First chunk and completion are told between what the provider did and what the client saw, by one clock.

    The message was there before the provider was asked, and text went to the client after the provider had sent it.
    """
    seen = exchange.seconds_to_first_text
    told = root.attributes.get(names.TIME_TO_FIRST_CHUNK)
    assert exchange.seconds is not None
    assert (seen is None) == (told is None)
    sent = [moment - answers[0].received for moment in answers[-1].chunks]
    if seen is not None:
        assert sent[0] - CLOSE < told < seen + CLOSE
    assert (sent[-1] if sent else 0.0) - CLOSE < root.duration < exchange.seconds + CLOSE


async def test_three_messages_are_three_traces(
    stateless: Installation, serve: Serve, folder: Folder, provider: Provider
) -> None:
    """A plain one, one with a tool call, one whose provider answers 500 though the client is told `status: 0`."""
    server = serve(stateless)
    async with connected(server.port, server.dialect) as client:
        session = await client.start_session()
        exchanges, answers = [], []
        for message in (PLAIN, TOOL, FAILED):
            before = len(provider.served)
            exchanges.append(await client.ask(message))
            answers.append(provider.served[before:])
        roots = await asyncio.to_thread(folder.exchanges, 3)
        assert exchanges[2].response is not None
        assert exchanges[2].response["result"]["status"] == 0
    for root, exchange, answer in zip(roots, exchanges, answers, strict=True):
        agrees(root, exchange, answer)
    assert len({root.trace for root in roots}) == 3
    assert [root.attributes[names.OUTCOME] for root in roots] == ["ok", "ok", "ai_error"]
    assert [root.error for root in roots] == [False, False, True]
    assert all(root.parent == "" and root.attributes[names.SESSION_ID] == session for root in roots)
    # The empty update before the tool ran is no first chunk: two delays lie before the text.
    assert roots[1].attributes[names.TIME_TO_FIRST_CHUNK] > 0.3
    assert [root.attributes[names.STREAM_CHUNKS] for root in roots] == [5, 4, 0]
    (start,) = folder.spans(names.SPAN_SESSION_START)
    assert all(start.id in root.links for root in roots)
    stages = {span.name: span for span in folder.spans() if span.trace == roots[0].trace}
    assert stages[names.SPAN_FIRST_CHUNK].parent == stages[names.SPAN_STREAM].parent == roots[0].id


async def test_the_final_chunk_completes_and_not_the_acknowledgement(
    delegates: Installation, serve: Serve, folder: Folder, provider: Provider
) -> None:
    """The reply comes after a millisecond; the trace ends with `isFinal`."""
    server = serve(delegates)
    async with connected(server.port, server.dialect) as client:
        await client.start_session()
        exchange = await client.ask("hello [[say chunks=5 delay=0.2]]")
        (root,) = await asyncio.to_thread(folder.exchanges, 1)
    agrees(root, exchange, provider.served)
    assert root.attributes[names.OUTCOME] == "ok"
    assert root.attributes[names.STREAM_CHUNKS] == 5
    # The server itself waits after each chunk.
    assert root.duration > 0.4
