"""Messages to a running server that go wrong, or whose client leaves, and what the traces say of it and what not."""

from __future__ import annotations

import pytest

from ailoop_otel import names
from tests.ailoop.client import connected
from tests.ailoop.process import Installation
from tests.serving.conftest import Serve, Share
from tests.serving.folder import Folder


@pytest.mark.parametrize(
    ("directive", "current", "earlier"),
    [
        ("[[cut after=2]]", "cut", "ai_error"),
        ("[[fail status=429]]", "ai_error", "ai_error"),
        ("[[drop]]", "ai_error", "ai_error"),
        ("[[json chunks=6]]", "ok", "ok"),
    ],
)
@pytest.mark.fault(
    "provider",
    theirs="The provider cuts an answer, answers 429 or drops the connection, and the server says that all is well",
    promise="The message is an error with its outcome",
)
async def test_what_went_wrong_is_told(
    installation: Installation, share: Share, directive: str, current: str, earlier: str
) -> None:
    """Also where the server says that all is well."""
    server, folder, _ = share(installation)
    async with connected(server.port, server.dialect) as client:
        await client.start_session()
        await client.ask(f"x {directive}")
        (root,) = folder.exchanges(1)
    expected = current if server.dialect == "stateless" else earlier
    assert root.attributes[names.OUTCOME] == expected
    assert root.error == (expected != "ok")


@pytest.mark.fault(
    "provider",
    theirs="The provider hangs until the server gives up",
    promise="An `ailoop.ai_timeout` while it hangs; how late the client was told is recorded",
)
async def test_the_earlier_generations_own_timeout(delegates: Installation, serve: Serve, folder: Folder) -> None:
    """Noticed here long before the client is told: the delay between is recorded."""
    server = serve(
        delegates,
        AILOOP_OTEL_AI_TIMEOUT_FIRST_CHUNK="0.5",
        OTEL_METRIC_EXPORT_INTERVAL="200",
        STANDIN_ANSWER_WITHIN="2.5",
    )
    async with connected(server.port, server.dialect) as client:
        await client.start_session()
        exchange = await client.send("x [[hang]]")
        folder.wait(lambda folder: folder.spans(names.SPAN_AI_TIMEOUT))
        assert folder.spans("sendUserMessage") == []
        await exchange.done()
        (root,) = folder.exchanges(1)
        (timeout,) = folder.spans(names.SPAN_AI_TIMEOUT)
        (point,) = folder.wait(lambda folder: folder.points(names.METRIC_REPORT_DELAY.name))
    assert root.attributes[names.OUTCOME] == "ai_timeout"
    # By the client's own clock, because neither the server nor a busy machine is exact.
    assert point["sum"] == pytest.approx(exchange.seconds - timeout.duration, abs=0.25)
    assert point["sum"] > 1.5
    assert point["labels"][names.TIMEOUT_PHASE] == "first_chunk"


@pytest.mark.fault(
    "clients",
    theirs="A client leaves in the middle of an answer",
    promise="Message and session end as `disconnected`",
)
async def test_a_client_that_leaves_in_mid_answer(installation: Installation, share: Share) -> None:
    """The exchange ends as `disconnected`, the session too."""
    server, folder, _ = share(installation)
    async with connected(server.port, server.dialect) as client:
        await client.start_session()
        exchange = await client.send("x [[say chunks=40 gap=0.05]]")
        await exchange.started()
        client.drop()
    (root,) = folder.exchanges(1)
    assert root.attributes[names.OUTCOME] == "disconnected"
    (whole,) = folder.wait(lambda folder: folder.spans(names.SPAN_SESSION))
    assert whole.attributes[names.SESSION_END_REASON] == "disconnected"


async def test_half_of_a_surrogate_pair_is_no_client_that_left(stateless: Installation, share: Share) -> None:
    """The updates that hold it cannot be sent and are no chunks; the reply comes, and the message was answered."""
    server, folder, _ = share(stateless)
    async with connected(server.port, server.dialect) as client:
        await client.start_session()
        exchange = await client.ask(r'x [[say gap=0.01 text="so it goes \ud83d on and on"]]')
        (root,) = folder.exchanges(1)
        updates = [frame for frame in client.frames if frame.method == "StreamingUpdate"]
        assert (await client.ask("x [[say chunks=2]]")).text
    assert exchange.response["result"]["ai_response"] == "so it goes \ud83d on and on"
    assert root.attributes[names.OUTCOME] == "ok"
    assert root.attributes[names.STREAM_CHUNKS] == len(updates) == 3


@pytest.mark.fault(
    "clients",
    theirs="A secret in a message, a tool's argument, an answer and an error",
    promise="It is nowhere in the telemetry",
)
async def test_no_content_is_recorded(installation: Installation, serve: Serve, folder: Folder) -> None:
    """A secret in message, tool argument, answer and provider error appears nowhere in the telemetry."""
    secret = "canary-7f3a"
    server = serve(installation)
    async with connected(server.port, server.dialect) as client:
        await client.start_session()
        await client.ask(f'{secret} [[say text="the {secret} is out"]]')
        if server.dialect == "stateless":
            await client.ask(f'{secret} [[tool arguments={{"path": "{secret}"}}]] [[say text="{secret}"]]')
        await client.ask(f'[[fail status=500 message="{secret}"]]')
        await client.call("echo", {"message": secret})
        await client.raw(f"{secret} is no JSON")
        await client.call(f"no such {secret} method")
        folder.wait(lambda folder: folder.spans("_OTHER"))
        assert secret in "".join(frame.text for frame in client.frames)
    server.stop()
    assert folder.spans(names.SPAN_SESSION)
    assert folder.points(names.METRIC_EXCHANGE_DURATION.name)
    assert secret not in folder.text()
