"""A server of mixed traits: it replies as the current generation, and streams pieces as the earlier one."""

from __future__ import annotations

from ailoop_otel import names
from ailoop_otel.doctor import server as examination
from ailoop_otel.doctor.findings import PROBLEM
from tests.ailoop.client import connected
from tests.ailoop.exchanges import Exchange
from tests.ailoop.process import Installation
from tests.serving.conftest import Serve
from tests.serving.folder import Folder, Span

# The client's clock is the server's; what lies between is the loopback.
CLOSE = 0.005
# Half of the answer: who does not read its pieces takes the reply for the first chunk, and sees a timeout before it.
DEADLINE = 1.5
LONG = "hello [[say chunks=20 delay=0.3 gap=0.08 pause=0.5 after=7]]"
SHORT = "hello [[say chunks=3 gap=0.03]]"


def disagreement(folder: Folder, root: Span, exchange: Exchange) -> float:
    """By how many seconds the figures of a streamed answer differ from what the client saw, at most."""
    assert exchange.seconds is not None
    seen = [frame.at for frame in exchange.pieces]
    stages = {span.name: span for span in folder.spans() if span.parent == root.id}
    stream, first = stages[names.SPAN_STREAM], stages[names.SPAN_FIRST_CHUNK]
    gaps = [after - before for before, after in zip(seen, seen[1:], strict=False)]
    return max(
        abs(root.duration - exchange.seconds),
        abs(root.attributes[names.TIME_TO_FIRST_CHUNK] - (seen[0] - exchange.sent)),
        abs(first.duration - (seen[0] - exchange.sent)),
        abs(stream.duration - (seen[-1] - seen[0])),
        abs(stream.attributes[names.STREAM_MAX_GAP] - max(gaps)),
    )


async def test_every_figure_is_what_the_client_saw(mixed: Installation, serve: Serve, folder: Folder) -> None:
    """The first chunk comes long before the reply, and no timeout is seen in between."""
    server = serve(mixed, AILOOP_OTEL_AI_TIMEOUT_FIRST_CHUNK=str(DEADLINE))
    differences = []
    async with connected(server.port, server.dialect) as client:
        session = await client.start_session()
        # A busy machine delays the client's clock now and then, never the other way round: the best of three counts.
        for turn in range(1, 4):
            exchange = await client.ask(LONG)
            root = folder.exchanges(turn)[-1]
            assert exchange.text == "".join(f"w{number} " for number in range(20))
            assert exchange.seconds is not None
            assert exchange.seconds > DEADLINE
            assert root.attributes[names.STREAM_CHUNKS] == len(exchange.pieces) == 20
            assert root.attributes[names.OUTCOME] == "ok"
            assert root.attributes[names.DIALECT] == "mixed"
            assert root.attributes[names.SESSION_ID] == session
            assert names.UNREAD_FRAMES not in root.attributes
            differences.append(disagreement(folder, root, exchange))
            if differences[-1] < CLOSE:
                break
    assert min(differences) < CLOSE
    # A timeout is true where the machine was so slow that the client waited for that long.
    late = [each for each in client.exchanges if (each.seconds_to_first_text or 0) > DEADLINE - CLOSE]
    assert len(folder.spans(names.SPAN_AI_TIMEOUT)) <= len(late)
    assert "unknown form" not in server.output()
    assert "is not known here" not in server.output()


async def test_what_fails_and_what_waits(mixed: Installation, serve: Serve, folder: Folder) -> None:
    """A failure that the reply hides, messages in flight together, one without an id, and two sessions on a socket."""
    server = serve(mixed)
    async with connected(server.port, server.dialect) as client:
        first = await client.start_session()
        asked = [await client.send(message) for message in (SHORT, "bad [[fail status=500]]", SHORT)]
        for exchange in asked:
            await exchange.done()
        await client.send("nobody answers this", id=None)
        second = await client.start_session()
        asked.append(await client.ask(SHORT, session=first))
        asked.append(await client.ask(SHORT, session=second))
        asked.append(await client.ask(SHORT, session="none"))
        roots = [root for root in folder.exchanges(7) if names.OUTCOME in root.attributes]
    assert [root.attributes[names.OUTCOME] for root in roots] == [
        "ok", "ai_error", "ok", "ok", "ok", "protocol_error",
    ]  # fmt: skip
    assert [root.attributes[names.STREAM_CHUNKS] for root in roots] == [3, 0, 3, 3, 3, 0]
    assert [len(exchange.pieces) for exchange in asked] == [3, 0, 3, 3, 3, 0]
    assert [root.attributes.get(names.SESSION_ID) for root in roots[:5]] == [first, first, first, first, second]
    assert names.TIME_TO_FIRST_CHUNK not in roots[1].attributes
    assert names.SPAN_AI_TIMEOUT not in {span.name for span in folder.spans()}
    for root, exchange in zip(roots, asked, strict=True):
        # What a message waited for unread is not seen on this side.
        assert exchange.seconds is not None
        assert root.duration < exchange.seconds + CLOSE


async def test_a_silent_model_is_a_timeout_here_too(mixed: Installation, serve: Serve, folder: Folder) -> None:
    """While it hangs before the first piece, and between two."""
    variables = {"AILOOP_OTEL_AI_TIMEOUT_FIRST_CHUNK": "0.5", "AILOOP_OTEL_AI_TIMEOUT_STALL": "0.5"}
    server = serve(mixed, **variables)
    async with connected(server.port, server.dialect) as client:
        await client.start_session()
        await client.ask("hello [[say chunks=2 delay=1]]")
        await client.ask("hello [[say chunks=4 pause=1 after=2]]")
        roots = folder.exchanges(2)
        phases = [(span.parent, span.attributes[names.TIMEOUT_PHASE]) for span in folder.spans(names.SPAN_AI_TIMEOUT)]
    assert (roots[0].id, "first_chunk") in phases
    assert (roots[1].id, "stall") in phases
    assert [root.attributes[names.OUTCOME] for root in roots] == ["ok", "ok"]
    assert [root.attributes[names.TIMEOUT_RECOVERED] for root in roots] == [True, True]


def test_doctor_names_it_as_no_generation(mixed: Installation) -> None:
    """What is left is what a server needs for the wire; none of its functions is taken for one of AILoop's."""
    findings = {finding.subject: finding for finding in examination.check(mixed.root)}
    assert findings["AILoop"].level == PROBLEM
    assert "timing, sessions and timeouts at most" in findings["AILoop"].sentence
    assert [each for each in findings.values() if each.level == PROBLEM] == [findings["AILoop"]]
