"""Two servers, as far as their frames go: what each says to whatever is said to it."""

from __future__ import annotations

import json
from typing import Any

from tests.laws.stage import Socket, elsewhere
from tests.scripted import SESSION, channel, chunk, compact, reply, status, update, updates

BINARY = KeyError("text")
BROKEN = RuntimeError("the server's own")
GONE = OSError("the client has left")
ELSEWHERE = object()  # from here on another task sends
# As frames, seconds that pass, or what is raised; {} is the reply's result without its text.
ANSWERS: dict[str, list[Any]] = {
    "plain": [0.5, *updates(["Hello ", "you"]), channel("Hello you"), {"ai_response": "Hello you"}],
    "tool": [update(""), 2.0, *updates(["w0", " w1"]), channel("w0 w1"), {"ai_response": "w0 w1"}],
    "twice": [*updates(["first"]), channel("first"), *updates(["a", "b"]), channel("ab"), {"ai_response": "ab"}],
    "structured": [update("a", structured=True), channel("a"), {"ai_response": "a"}],
    "quiet": [channel("all"), {"ai_response": "all"}],
    "hidden": [60.0, {"ai_response": None}],
    "cut": [update("a"), update("ab"), channel("ab"), {"ai_response": "ab"}],
    "empty": [update(""), update(""), {"ai_response": ""}],
    "slow": [31.0, *updates(["late"]), {"ai_response": "late"}],
    "stall": [update("a"), 40.0, update("ab"), 400.0, update("ab"), {"ai_response": "ab"}],
    "/help": [compact("agent.message", {"agent_id": "system", "message": "help"}), {}],
    "/clear": [{}],
    "strange": ["strange"],
    "unknown": [compact("TokenDelta", {"token": "w"}), update("a"), "no json", update("a"), {"ai_response": "wa"}],
    "refused": [-32603],
    "odd": ['{"error": "INTERNAL_ERROR", "message": "m", "id": 1}'],
    "leave": [update("a"), GONE, 1.0, update("ab"), update("ab"), {"ai_response": "ab"}],
    "raise": [update("a"), BROKEN],
    "elsewhere": [ELSEWHERE, update("a"), 0.5, update("ab"), update("ab"), {"ai_response": "ab"}],
}
# The earlier generation's, from the session's own task.
DELTAS: dict[str, list[Any]] = {
    "plain": [0.5, chunk("Hello "), 0.1, chunk("you"), chunk("you", final=True)],
    "blank": [],
    "failed": [chunk("a"), status(3, "Error: boom")],
    "timeout": [chunk("a"), 10.0, status(3, "timeout")],
    "slow": [31.0, chunk("late"), chunk("late", final=True)],
    "over": [chunk("a"), status(3, "Session ended: error")],
    "leave": [chunk("a"), GONE, 1.0, chunk("b"), chunk("b", final=True)],
}
REFUSALS = {"unknown": -32601, "startsession": -32603}


async def stateless(socket: Socket, message: Any) -> None:
    """The current generation: the reply comes after the answer."""
    request = await _read(socket, message)
    if request is None:
        return
    method, request_id = request["method"], request.get("id")
    if method == "startSession":
        await socket.text(compact("agent.created", {"agent_id": "a", "active": True}))
        await socket.text(reply(request_id, {"sessionId": SESSION, "status": 1}))
    elif method == "sendUserMessage":
        answer = ANSWERS[request["params"]["message"]]
        for step in answer:
            if isinstance(step, (dict, int)) or step == "strange":
                await _reply(socket, request, step)
            elif answer[0] is ELSEWHERE:
                elsewhere(_step(socket, step))
            else:
                await _step(socket, step)
    else:
        await _other(socket, request)


async def delegates(socket: Socket, message: Any) -> None:
    """The earlier generation: the reply comes at once, the answer from another task."""
    request = await _read(socket, message)
    if request is None:
        return
    method, request_id = request["method"], request.get("id")
    if method == "startSession":
        await socket.text(status(1, "Session started"))
        await socket.text(reply(request_id, {"sessionId": SESSION, "status": 1}))
    elif method == "stopSession":
        await socket.text(status(2, "Session ended: stopped"))
        await _other(socket, request)
    elif method == "sendUserMessage" and "id" in request:
        await socket.text(reply(request_id, {"messageId": "m", "status": 0}))
        for step in DELTAS[request["params"]["message"]]:
            elsewhere(_step(socket, step))
    elif "id" in request:
        await _other(socket, request)


async def living(socket: Socket, message: Any) -> None:
    """An application's life, and its plain HTTP."""
    kind = message["type"].replace("request", "response.start")
    await socket.send({"type": kind if kind.startswith("http") else f"{kind}.complete"})


async def _read(socket: Socket, message: Any) -> Any:
    if message.get("text") is None:
        raise BINARY.with_traceback(None)
    try:
        request = json.loads(message["text"])
    except ValueError:
        await socket.text(_refusal(None, -32700))
        return None
    if not isinstance(request, dict):
        await socket.text(_refusal(None, -32600))
        return None
    return request


async def _reply(socket: Socket, request: Any, step: Any) -> None:
    if isinstance(step, int):
        await socket.text(_refusal(request.get("id"), step))
    elif "id" in request:
        result = {"messageId": "m", "status": 0, **step} if isinstance(step, dict) else step
        await socket.text(reply(request["id"], result))


async def _other(socket: Socket, request: Any) -> None:
    if request["method"] == "unanswered":
        return
    if request["method"] == "made.up":
        await socket.text(_refusal(request.get("id"), -32601))
    elif "id" in request:
        await socket.text(reply(request["id"], {"status": 2}))


async def _step(socket: Socket, step: Any) -> None:
    if isinstance(step, str):
        await socket.text(step)
    elif isinstance(step, float):
        socket.host.clock.move(step)
        socket.host.look()
    elif isinstance(step, OSError):
        socket.refuse = lambda _: GONE
    elif step is not ELSEWHERE:
        raise step.with_traceback(None)


def _refusal(request_id: Any, code: int) -> str:
    error = {"code": code, "message": "no"}
    return json.dumps({"jsonrpc": "2.0", "id": request_id, "error": error})
