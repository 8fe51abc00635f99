"""Sessions, and the messages, sockets and stops around them."""

import asyncio

from ..client import Client
from ..process import DELEGATES
from .registry import UNKNOWN_SESSION, scenario


@scenario()
async def stop_session(client: Client) -> None:
    """A session that is stopped, stopped again, and spoken to after all."""
    session = await client.start_session()
    await client.ask("hello [[say chunks=2]]")
    await client.stop_session()
    await client.stop_session()
    await client.call("sendUserMessage", {"sessionId": session, "message": "still there?"})
    await client.stop_session(UNKNOWN_SESSION)
    await client.call("stopSession")


@scenario()
async def without_id(client: Client) -> None:
    """Messages without an id: the current generation runs the chat message, the earlier one ignores it."""
    await client.start_session()
    await client.send("hello [[say chunks=2]]", id=None)
    await client.raw('{"jsonrpc": "2.0", "method": "echo", "params": {"message": "ignored"}}')
    await client.call("echo", {"message": "after"})


@scenario()
async def queued(client: Client) -> None:
    """Three messages sent at once."""
    await client.start_session()
    sent = [
        await client.send(f"number {each} [[say chunks=2 id={each}]] [[next say chunks=2 id={each}next]]")
        for each in ("a", "b", "c")
    ]
    for exchange in sent:
        await exchange.done()


@scenario()
async def two_sessions(client: Client) -> None:
    """Two sessions on one socket, used in turn."""
    first = await client.start_session()
    second = await client.start_session()
    await client.ask("to the second [[say chunks=2 id=second]]", session=second)
    await client.ask("to the first [[say chunks=2 id=first]]", session=first)


@scenario()
async def two_sockets(client: Client) -> None:
    """One session used from a second socket: the chunks still go to its owner."""
    session = await client.start_session()
    other = await client.another()
    asked = await other.send("from the other [[say chunks=2]] [[next say chunks=2]]", session=session)
    await asked.acknowledged()
    if client.dialect == DELEGATES:
        await client.until(lambda frame: frame.params.get("isFinal"))
    await client.ask("from the owner [[say chunks=2]]")


@scenario()
async def owner_gone(client: Client) -> None:
    """One session used from a second socket after its owner has left."""
    session = await client.start_session()
    await client.ask("from the owner [[say chunks=2]] [[next say chunks=2]]")
    client.drop()
    await client.closed()
    other = await client.another()
    await asyncio.sleep(0.1)
    asked = await other.send("from the other [[say chunks=2]]", session=session)
    await asked.acknowledged()
    await other.quiet(0.5)


@scenario()
async def stop_from_elsewhere(client: Client) -> None:
    """A session stopped by a second socket in the middle of an answer."""
    session = await client.start_session()
    exchange = await client.send("hello [[say chunks=3 gap=0.8]]")
    await exchange.started()
    await (await client.another()).stop_session(session)
    await exchange.done()


@scenario()
async def tool_result(client: Client) -> None:
    """A tool result that nobody asked for."""
    session = await client.start_session()
    await client.call("provideToolResult", {"sessionId": session, "toolCallId": "x", "result": "y"})
