"""What is said in the demo: good answers, a tool, a slow one, a stall, a hidden failure, a client that leaves."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.ailoop.client import Client, connected
from tests.ailoop.process import STATELESS

Drive = Callable[[Client], Awaitable[str]]


@dataclass(frozen=True)
class Conversation:
    """One client on one WebSocket: what it shows, and what it does; `drive` returns what the client saw."""

    title: str
    drive: Drive
    messages: int = 1


async def good(client: Client) -> str:
    """Three turns that go well."""
    for turn in range(3):
        exchange = await client.ask(f"turn {turn} [[say chunks={12 + 6 * turn} delay=0.15 gap=0.02]]")
    await client.call("agent.list")
    await client.stop_session()
    return f"{exchange.text[:24]}…"


async def tool(client: Client) -> str:
    """The AI looks into a folder before it answers."""
    look = '[[tool name=list_directory arguments={"path": "."} delay=0.2]]'
    exchange = await client.ask(f"what is here? {look} [[say chunks=8 gap=0.03 delay=0.2]]")
    return f"{exchange.text[:24]}…"


async def slow(client: Client) -> str:
    """The first chunk takes longer than is allowed; the answer comes after all."""
    exchange = await client.ask("think [[say chunks=6 delay=1.6 gap=0.05]]")
    return f"first text after {exchange.seconds_to_first_text:.1f} s"


async def stall(client: Client) -> str:
    """The AI falls silent in the middle of its answer and goes on."""
    exchange = await client.ask("go on [[say chunks=9 gap=0.05 after=4 pause=1.8]]")
    return f"whole after {exchange.seconds:.1f} s"


async def hidden(client: Client) -> str:
    """The provider answers 500, the server says that all is well."""
    exchange = await client.ask("please [[fail status=500]]")
    await client.ask("and now? [[say chunks=4]]")
    assert exchange.response is not None
    result = exchange.response["result"]
    return f"the client was told status {result['status']}, answer {result['ai_response']}"


async def cut(client: Client) -> str:
    """The provider's connection breaks, the server passes the half answer off as whole."""
    exchange = await client.ask("tell me all [[cut after=5 chunks=20 gap=0.03]]")
    return f"{exchange.text[:24]}"


async def leave(client: Client) -> str:
    """The client goes away in the middle of an answer."""
    exchange = await client.send("a long one [[say chunks=40 gap=0.05]]")
    await exchange.started()
    client.drop()
    return "gone after the first chunk"


CONVERSATIONS = (
    Conversation("three good answers", good, 3),
    Conversation("a tool call", tool),
    Conversation("a slow first chunk", slow),
    Conversation("a stall in mid-answer", stall),
    Conversation("a provider's 500 that the server hides", hidden, 2),
    Conversation("a half answer passed off as whole", cut),
    Conversation("a client that leaves in mid-answer", leave),
)

MESSAGES = sum(conversation.messages for conversation in CONVERSATIONS)


async def hold(conversation: Conversation, port: int) -> tuple[Conversation, str]:
    """Hold one conversation; returns it and what the client saw."""
    async with connected(port, STATELESS) as client:
        await client.start_session()
        return conversation, await conversation.drive(client)
