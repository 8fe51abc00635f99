"""Requests that are no chat messages, and what is no request."""

from ..client import Client
from .registry import UNKNOWN_SESSION, scenario


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
async def binary(client: Client) -> None:
    """A binary frame: the endpoint returns and the connection breaks."""
    await client.call("echo", {"message": "before"})
    await client.raw(b'{"jsonrpc":"2.0","id":2,"method":"echo"}')
    await client.closed()
