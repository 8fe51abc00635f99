"""While a tool is known to run, the clocks for first chunk and stall stand still."""

from __future__ import annotations

from typing import Any

from ailoop_otel import names
from ailoop_otel.tracking.exchange import current_exchange
from tests.scripted import SESSION, Server, Socket, answering, reply, request, update


def timeouts(server: Server) -> list[str]:
    """The phases that were told, after a look at what is due now."""
    server.watchdog.check()
    return [str(span.attributes[names.TIMEOUT_PHASE]) for span in server.recording.spans(names.SPAN_AI_TIMEOUT)]


async def test_a_tools_time_is_no_silence_of_the_ai() -> None:
    """Neither before the first chunk nor between two; afterwards each clock goes on."""
    server = Server(first_chunk=10, stall=10, total=0)
    seen: list[list[str]] = []

    async def message(socket: Socket, message: dict[str, Any]) -> None:
        exchange = current_exchange()
        assert exchange is not None
        server.clock.move(9)
        exchange.tools_running += 1
        server.clock.move(60)
        seen.append(timeouts(server))
        exchange.tools_running -= 1
        server.clock.move(0.5)
        seen.append(timeouts(server))
        await socket.text(update("a"))
        exchange.tools_running += 1
        server.clock.move(60)
        seen.append(timeouts(server))
        exchange.tools_running -= 1
        server.clock.move(9)
        seen.append(timeouts(server))
        server.clock.move(2)
        seen.append(timeouts(server))

    async def start(socket: Socket, message: dict[str, Any]) -> None:
        await socket.text('{"jsonrpc":"2.0","method":"agent.created","params":{"agent_id":"a","active":true}}')
        await socket.text(reply(message["id"], {"sessionId": SESSION, "status": 1}))

    socket = await server.serve(answering({"startSession": start, "sendUserMessage": message}))
    await socket.deliver(request("startSession", 1, userId="u"))
    await socket.deliver(request("sendUserMessage", 2, sessionId=SESSION, message="hello"))
    assert seen == [[], [], [], [], ["stall"]]
    await socket.leave()
