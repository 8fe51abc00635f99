"""The client sees the same moments and outcomes as the instrumentation, in both generations."""

from __future__ import annotations

import json
import re
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from ailoop_otel.measure.client import session as client
from ailoop_otel.measure.client.conversation import Conversation
from ailoop_otel.measure.client.message import OUTCOMES, Message
from ailoop_otel.measure.client.session import ClientSession
from tests.ailoop.process import DELEGATES, STATELESS, Server, serving, standin
from tests.ailoop.provider import Provider
from tests.ailoop.transcripts import load
from tests.measure.scripted_server import Scripted, free_port, scripted
from tests.wire.test_transcripts import EXPECTED, scenarios


def alone() -> list[tuple[str, str]]:
    """All transcripts of one connection whose messages are the client's to number."""
    return [(dialect, name) for dialect, name in scenarios() if _is_alone(load(dialect, name))]


def _is_alone(entries: list[dict[str, Any]]) -> bool:
    sent = [each["text"] for each in entries if each["direction"] == "out"]
    plain = all("connection" not in each for each in entries)
    return plain and all(_request(text).get("method") != "sendUserMessage" or "id" in _request(text) for text in sent)


def _request(text: str) -> dict[str, Any]:
    try:
        frame = json.loads(text)
    except ValueError:
        return {}
    return frame if isinstance(frame, dict) else {}


@pytest.mark.parametrize(("dialect", "name"), alone())
def test_what_the_real_servers_said_comes_to_what_the_instrumentation_makes_of_it(dialect: str, name: str) -> None:
    """Outcome and number of chunks of each message are the same on both sides of the wire."""
    sent: list[str] = []
    conversation = Conversation(sent.append)
    ended: list[Message] = []
    numbers: dict[str, int] = {}
    for entry in load(dialect, name):
        at, text = 1 + entry["t"], entry["text"]
        if entry["direction"] == "in":
            conversation.take(_renumbered(text, numbers), at)
            continue
        request = _request(text)
        if request.get("method") == "sendUserMessage":
            message = Message(at)
            message.on_end = ended.append
            session = request["params"].get("sessionId") if isinstance(request["params"], dict) else None
            conversation.ask(message, session or "", "", at)
        else:
            conversation.call(str(request.get("method")), {}, lambda frame: None)
        numbers[json.dumps(request.get("id"))] = json.loads(sent[-1])["id"]
    conversation.close(99.0)
    assert ", ".join(f"{each.outcome} {each.chunks}" for each in ended) == EXPECTED[dialect][name]
    assert all(each.outcome in OUTCOMES for each in ended)


def _renumbered(text: str, numbers: dict[str, int]) -> str:
    """A frame of the transcript as a reply to this client's numbers."""
    found = re.search(r'"id": (\d+)(?=[,}])', text)
    if found is None or found.group(1) not in numbers:
        return text
    return text.replace(found.group(0), f'"id": {numbers[found.group(1)]}', 1)


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with Provider() as provider:
        yield provider


@pytest.fixture(scope="module", params=[STATELESS, DELEGATES])
def server(request: pytest.FixtureRequest, provider: Provider) -> Iterator[Server]:
    with serving(standin(request.param), provider.plain_environment()) as server:
        yield server


@pytest.fixture(scope="module")
def scripted_server() -> Iterator[Scripted]:
    with scripted() as server:
        yield server


@asynccontextmanager
async def session_on(url: str) -> AsyncIterator[ClientSession]:
    session = await client.connect(url)
    try:
        await session.start()
        yield session
    finally:
        await session.stop()


async def test_the_answer_of_a_stand_in_is_timed(server: Server, provider: Provider) -> None:
    """First chunk, completion and gaps are those that the provider was set to."""
    async with session_on(f"ws://127.0.0.1:{server.port}/ws") as session:
        message = await session.ask("hello [[say chunks=4 delay=0.3 gap=0.15 id=timed]]")
    served = next(each for each in provider.served if each.id == "timed" and each.chunks[0] > message.sent)
    assert session.conversation.traits.dialects
    assert session.conversation.traits.name == server.dialect
    assert message.outcome == "ok"
    assert message.chunks == 4
    assert message.first >= served.chunks[0]
    assert message.first - message.sent >= 0.3
    assert len(message.gaps) == 3
    assert sum(message.gaps) == pytest.approx(message.last - message.first, abs=0.001)
    assert message.last >= served.chunks[-1]
    assert message.completed >= message.last - 0.001
    assert bool(message.acknowledged) == (server.dialect == DELEGATES)


@pytest.mark.parametrize(
    ("directive", "current", "earlier"),
    [
        ("fail status=500", "ai_error", "ai_error"),
        ("cut after=2", "cut", "ai_error"),
        ("drop", "ai_error", "ai_error"),
    ],
)
async def test_a_failure_is_told_apart(server: Server, directive: str, current: str, earlier: str) -> None:
    """What the provider does wrong becomes the outcome that the dialect shows."""
    async with session_on(f"ws://127.0.0.1:{server.port}/ws") as session:
        message = await session.ask(f"hello [[{directive}]]")
    assert message.outcome == (current if server.dialect == STATELESS else earlier)
    assert message.completed


@pytest.mark.parametrize(
    ("end", "outcome"),
    [
        ("ok", "ok"), ("ai_error", "ai_error"), ("cut", "cut"), ("no_answer", "no_answer"),
        ("server_error", "server_error"), ("protocol_error", "protocol_error"), ("drop", "disconnected"),
        ("hang", "client_timeout"),
    ],
)  # fmt: skip
async def test_each_outcome_has_its_name(scripted_server: Scripted, end: str, outcome: str) -> None:
    """All that a server can do to a message has a kind of its own."""
    async with session_on(scripted_server.url) as session:
        message = await session.ask(f"chunks=2 end={end}", patience=0.5)
        assert message.outcome == outcome
        assert session.turns == 1
        if end == "hang":
            session.drop()


async def test_every_message_has_a_trace_of_its_own(scripted_server: Scripted) -> None:
    """Each travels as a sampled W3C trace context."""
    async with session_on(scripted_server.url) as session:
        messages = [await session.ask("hello") for _ in range(3)]
    assert len({each.trace_id for each in messages}) == 3
    for each in messages:
        assert re.fullmatch(f"00-{each.trace_id}-[0-9a-f]{{16}}-01", each.traceparent)


async def test_a_server_that_is_not_there_refuses() -> None:
    """No listener is a refusal with its reason."""
    with pytest.raises(client.Refused, match="(?i)connect|refused"):
        await client.connect(f"ws://127.0.0.1:{free_port()}/ws")


async def test_what_is_no_websocket_refuses(provider: Provider) -> None:
    """A web server that does not upgrade is a refusal."""
    with pytest.raises(client.Refused, match="HTTP"):
        await client.connect(f"ws://127.0.0.1:{provider.port}/served")


async def test_a_session_that_is_refused_says_so() -> None:
    """One session too many is a refusal, and the first goes on."""
    with scripted(limit=1) as server:
        async with session_on(server.url) as session:
            second = await client.connect(server.url)
            with pytest.raises(client.Refused, match="refused to start a session"):
                await second.start()
            await second.close()
            assert (await session.ask("hello")).outcome == "ok"


async def test_a_message_on_a_dead_connection_is_lost_at_once(scripted_server: Scripted) -> None:
    """Nobody waits for an answer that cannot come."""
    async with session_on(scripted_server.url) as session:
        session.drop()
        begun = time.perf_counter()
        assert (await session.ask("hello", patience=120)).outcome == "disconnected"
        assert time.perf_counter() - begun < 60
