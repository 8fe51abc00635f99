"""The conversations that are recorded from the real servers and held with the stand-in.

A scenario is a coroutine that drives one connected client; what is to be answered stands in the messages
themselves (`directives.py`). Its name is the name of its transcript.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from .client import Client
from .process import DELEGATES, STATELESS

Drive = Callable[[Client], Awaitable[object]]
UNKNOWN_SESSION = "11111111-2222-4333-8444-555555555555"


@dataclass(frozen=True)
class Scenario:
    """One conversation, and the dialects in which it makes sense."""

    name: str
    drive: Drive
    dialects: tuple[str, ...]


SCENARIOS: list[Scenario] = []


def scenario(*dialects: str) -> Callable[[Drive], Drive]:
    """Register a conversation under its function's name."""

    def register(drive: Drive) -> Drive:
        SCENARIOS.append(Scenario(drive.__name__, drive, dialects or (STATELESS, DELEGATES)))
        return drive

    return register


def _conversation(name: str, *messages: str, dialects: tuple[str, ...] = ()) -> None:
    """Register a scenario that is nothing but a session and its messages, one after the other."""

    async def drive(client: Client) -> None:
        await client.start_session()
        for message in messages:
            await client.ask(message)

    drive.__name__ = name
    scenario(*dialects)(drive)


_conversation("plain", "hello [[say chunks=3 gap=0.06]]")
_conversation("one_chunk", "hello [[say chunks=1]]")
_conversation("unicode", 'hello [[say text="grüße 你好 \\"quoted\\"\\n✓ done"]]')
_conversation("two_turns", "one [[say chunks=2]] [[next say chunks=3 id=second]]", "two [[say chunks=3 id=second]]")
_conversation("slow_start", "hello [[say chunks=2 delay=0.3 keepalive=0.1]]")
_conversation("reasoning", "think [[say chunks=2 reasoning=2]]")
_conversation("garbage", "hello [[garbage chunks=3 after=1]]")
_conversation("structured", 'hello [[json chunks=8 final="It is done, \\"quite\\"."]]')
_conversation("http_500", "hello [[fail status=500]]")
_conversation("http_429", "hello [[fail status=429]]")
_conversation("http_401", "hello [[fail status=401]]")
_conversation("drop", "hello [[drop]]")
_conversation("cut", "hello [[cut chunks=4 after=2 gap=0.06]]")
_conversation("error_in_stream", "hello [[error chunks=4 after=2 gap=0.06]]")
_conversation("error_then_good", "hello [[fail status=500]] [[next say chunks=2]]", "again [[say chunks=2]]")
_conversation("tool_call", 'list [[tool name=list_directory arguments={"path":"."}]] [[say chunks=3]]')
_conversation("tool_call_with_text", 'list [[tool text="let me look" times=2]] [[say chunks=2]]', dialects=(STATELESS,))
_conversation("tool_unknown", "use [[tool name=no_such_tool]] [[say chunks=2]]", dialects=(STATELESS,))
_conversation("tool_twice", "list [[tool]] [[tool]] [[say]]", dialects=(STATELESS,))
_conversation("tool_then_500", "list [[tool]] [[fail]]", dialects=(STATELESS,))
_conversation("slash_help", "/help", dialects=(STATELESS,))
_conversation("slash_clear", "hello [[say chunks=1]]", "/clear", dialects=(STATELESS,))
_conversation("slash_unknown", "/nothing [[say chunks=2]]", dialects=(STATELESS,))
_conversation(
    "continuation",
    'go on [[json value={"response":"first","continuation":{"status":"CONTINUE","reason":"more"}}]]',
    dialects=(STATELESS,),
)
_conversation("json_other", 'hello [[json value={"answer":42}]]', dialects=(STATELESS,))
_conversation("empty", "hello [[empty]]", dialects=(STATELESS,))
_conversation("timeout", "hello [[stall chunks=4 after=2]]", dialects=(DELEGATES,))


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
async def echo(client: Client) -> None:
    """Echo in all its forms, without a session; ids may be anything."""
    await client.call("echo", {"message": "hi"})
    await client.call("echo", {"other": [1, 2.5, None, "ü"]}, id="a string")
    await client.call("echo", {"message": {"deep": True}}, id=None)
    await client.call("echo", ["a", "list"], id={"an": "object"})
    await client.call("echo", {"message": "hi", "_meta": {"traceparent": "00-" + "1" * 32 + "-" + "2" * 16 + "-01"}})


@scenario()
async def unknown_method(client: Client) -> None:
    """A method that does not exist."""
    await client.call("no.such.method", {"a": 1})
    await client.call("", {})


@scenario()
async def parse_error(client: Client) -> None:
    """What is no JSON."""
    for number, text in enumerate(("{broken", "", "hello", '{"jsonrpc": "2.0", "id": 1,'), 1):
        await client.raw(text)
        await client.frame(number)


@scenario()
async def invalid_request(client: Client) -> None:
    """JSON that is no request: a batch, null, a wrong version, no method."""
    texts = (
        '[{"jsonrpc":"2.0","id":1,"method":"echo"}]',
        "[]",
        "null",
        "17",
        '{"jsonrpc":"1.0","id":5,"method":"echo"}',
        '{"id":"x","method":"echo"}',
        '{"jsonrpc":"2.0","id":7}',
        '{"jsonrpc":"2.0"}',
    )
    for number, text in enumerate(texts, 1):
        await client.raw(text)
        await client.frame(number)


@scenario()
async def unknown_session(client: Client) -> None:
    """Messages to a session that was never started."""
    await client.call("sendUserMessage", {"sessionId": UNKNOWN_SESSION, "message": "hello"})
    await client.call("provideToolResult", {"sessionId": UNKNOWN_SESSION, "toolCallId": "x", "result": "y"})


@scenario()
async def bad_params(client: Client) -> None:
    """Params that lack something, or are of a wrong type."""
    await client.call("startSession", {})
    await client.call("startSession", ["tester"])
    await client.call("sendUserMessage", {"message": "hello"})
    session = await client.start_session()
    await client.call("sendUserMessage", {"sessionId": session, "message": 17})
    await client.call("provideToolResult", {"sessionId": session})


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


@scenario()
async def binary(client: Client) -> None:
    """A binary frame: the endpoint returns and the connection breaks."""
    await client.call("echo", {"message": "before"})
    await client.raw(b'{"jsonrpc":"2.0","id":2,"method":"echo"}')
    await client.closed()


@scenario(STATELESS)
async def agent_switch(client: Client) -> None:
    """Switching agents by request, and asking each."""
    await client.call("session.current_agent")
    await client.start_session()
    await client.call("session.current_agent")
    await client.call("session.switch_agent", {"agent_id": "d"})
    await client.ask("who? [[say chunks=2 id=d]]")
    await client.call("session.handoff", {"to_agent": "a"})
    await client.ask("and now? [[say chunks=2 id=a]]")
    await client.call("session.switch_agent", {"agent_id": "p"})
    await client.call("session.switch_agent", {"agent_id": "a"})


@scenario(STATELESS)
async def agent_switch_first(client: Client) -> None:
    """Switching on a socket without a session makes one."""
    await client.call("session.switch_agent", {"agent_id": "d"})
    await client.call("session.current_agent")


@scenario(STATELESS)
async def agent_mail(client: Client) -> None:
    """An agent that mails another: the other answers within the same exchange."""
    await client.start_session()
    mail = '{"to_agent":"Debbie","subject":"s","body":"b"}'
    await client.ask(
        f'mail [[tool name=send_mail_with_switch text="mail sent" arguments={mail}]] [[say chunks=2 id=back]]'
    )


@scenario(STATELESS)
async def odd_errors(client: Client) -> None:
    """The handlers that return an error of their own make."""
    await client.start_session()
    await client.call("dispatchCommand", {"command": "no slash"})
    await client.call("dispatchCommand", {"command": "/nosuch"})
    await client.call("dispatchCommand", {"command": "/echo hi there"})
    await client.call("async.sendTask", {"sessionId": UNKNOWN_SESSION, "agentId": "d", "prompt": "x"})
    await client.call("async.sendTask", {"sessionId": UNKNOWN_SESSION, "agentId": "d"})
    await client.call("debbie.status")
    await client.call("debbie.alerts")
    await client.call("plan.list")


@scenario(STATELESS)
async def channels(client: Client) -> None:
    """The channels' history, visibility and counts."""
    session = await client.start_session()
    await client.ask("hello [[say chunks=2]]")
    await client.call("channel.history", {"sessionId": session})
    await client.call("channel.updateVisibility", {"sessionId": session, "showCommentary": False})
    await client.call("channel.stats", {"sessionId": session})
    await client.call("channel.history", {"sessionId": UNKNOWN_SESSION})


@scenario(STATELESS)
async def background_agent(client: Client) -> None:
    """An agent that works beside the chat; a failed task is never reported as completed."""
    session = await client.start_session()
    about = {"sessionId": session, "agentId": "d"}
    await client.call("async.createAgent", about)
    await client.call("async.createAgent", about)
    await client.call("async.createAgent", about | {"agentId": "nobody"})
    await client.call("async.sendTask", about | {"prompt": "work [[say chunks=2]]"})
    await client.until(lambda frame: frame.method == "async.task.completed")
    await client.call("async.sendTask", about | {"prompt": "work [[fail]]"})
    await client.until(lambda frame: frame.method == "async.task.started", count=2)
    await client.quiet(0.5)
    await client.call("async.broadcastEvent", about | {"event": "e", "data": {}})
    await client.call("async.sleepAgent", about | {"durationSeconds": 5})
    await client.call("async.wakeAgent", about)
    await client.call("async.stopAgent", about)
    await client.stop_session()


@scenario(DELEGATES)
async def blank(client: Client) -> None:
    """An empty completion: nothing after the ack."""
    await client.start_session()
    await client.send("hello [[empty]]")
    await client.quiet(0.5)
    await client.call("echo", {"message": "after"})


@scenario(DELEGATES)
async def stop_while_streaming(client: Client) -> None:
    """A session stopped in the middle of an answer."""
    await client.start_session()
    exchange = await client.send("hello [[say chunks=3 gap=0.8]]")
    await exchange.started()
    await client.stop_session()
