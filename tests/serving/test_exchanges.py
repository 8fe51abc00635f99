"""Messages to a running server, and the traces that come of them while the socket is open."""

from __future__ import annotations

from ailoop_otel import names
from tests.ailoop.client import connected
from tests.ailoop.exchanges import Exchange
from tests.ailoop.process import Installation
from tests.serving.conftest import Serve
from tests.serving.folder import Folder, Span

# The client's clock is the server's; what lies between is the loopback.
CLOSE = 0.005
PLAIN = "hello [[say chunks=5 delay=0.1 gap=0.03]]"
FAILED = "bad [[fail status=500]]"
TOOL = 'look [[tool name=list_directory arguments={"path": "."} delay=0.1]] [[say chunks=4 delay=0.2 gap=0.02]]'


def disagreement(root: Span, exchange: Exchange) -> float:
    """By how many seconds first chunk and completion differ from what the client saw, by its own clock."""
    assert exchange.seconds is not None
    seen = exchange.seconds_to_first_text
    told = root.attributes.get(names.TIME_TO_FIRST_CHUNK)
    assert (seen is None) == (told is None)
    first = 0.0 if seen is None else abs(told - seen)
    return max(first, abs(root.duration - exchange.seconds))


async def test_three_messages_are_three_traces(stateless: Installation, serve: Serve, folder: Folder) -> None:
    """A plain one, one with a tool call, one whose provider answers 500 though the client is told `status: 0`."""
    server = serve(stateless)
    differences = []
    async with connected(server.port, server.dialect) as client:
        session = await client.start_session()
        # A busy machine delays the client's clock now and then, never the other way round: the best of three counts.
        for turn in range(1, 4):
            exchanges = [await client.ask(message) for message in (PLAIN, TOOL, FAILED)]
            roots = folder.exchanges(3 * turn)[-3:]
            pairs = zip(roots, exchanges, strict=True)
            differences.append(max(disagreement(root, exchange) for root, exchange in pairs))
            if differences[-1] < CLOSE:
                break
        assert exchanges[2].response is not None
        assert exchanges[2].response["result"]["status"] == 0
    assert min(differences) < CLOSE
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
    delegates: Installation, serve: Serve, folder: Folder
) -> None:
    """The reply comes after a millisecond; the trace ends with `isFinal`."""
    server = serve(delegates)
    async with connected(server.port, server.dialect) as client:
        await client.start_session()
        differences = []
        for turn in range(1, 4):
            exchange = await client.ask("hello [[say chunks=5 delay=0.2]]")
            root = folder.exchanges(turn)[-1]
            differences.append(disagreement(root, exchange))
            if differences[-1] < CLOSE * 4:
                break
    assert min(differences) < CLOSE * 4
    assert root.duration > 0.4
    assert root.attributes[names.OUTCOME] == "ok"
    assert root.attributes[names.STREAM_CHUNKS] == 5
