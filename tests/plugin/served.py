"""The chat server Parley, which nobody has heard of: JSON-RPC over a WebSocket, with names of its own.

    python -m uvicorn served:app --port 8000             in this folder; the WebSocket is /parley

Words `key=value` in a prompt say how it is answered: `first` and `gap` (s), `pieces`, and `end`: done, failed, timeout,
error, hang. It imports nothing of ailoop-otel, and of AILoop there is nothing in it.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from typing import Any

from fastapi import FastAPI, WebSocket, WebSocketDisconnect

app = FastAPI()
DEFAULTS: dict[str, Any] = {"first": 0.02, "gap": 0.01, "pieces": 3, "end": "done"}
PIECES = ('Say "when', "é", "/", " and \\ no", "t a moment later.\n")


@app.websocket("/parley")
async def parley(socket: WebSocket) -> None:
    """Serve one client; answers are streamed beside the requests that come meanwhile."""
    await socket.accept()
    answers: dict[str, asyncio.Task[None]] = {}
    try:
        while True:
            await handle(socket, json.loads(await socket.receive_text()), answers)
    except WebSocketDisconnect:
        pass
    finally:
        for task in answers.values():
            task.cancel()


async def handle(socket: WebSocket, request: dict[str, Any], answers: dict[str, asyncio.Task[None]]) -> None:
    """Reply to one request; parameters that it does not know are an error."""
    params, number = request["params"], request["id"]
    conversation = params.get("conversation", "")
    if request["method"] == "chat.open":
        conversation = f"c-{secrets.token_hex(6)}"
        await reply(socket, number, {"conversation": conversation})
        await notify(socket, "chat.presence", {"conversation": conversation, "members": 2})
    elif request["method"] == "chat.ask":
        wishes = dict(word.split("=", 1) for word in params["prompt"].split() if "=" in word)
        wishes = DEFAULTS | {key: type(DEFAULTS[key])(value) for key, value in wishes.items()}
        if wishes["end"] == "error":
            await send(socket, {"id": number, "error": {"code": -32603, "message": "no"}})
            return
        await reply(socket, number, {"accepted": True})
        answers[conversation] = asyncio.create_task(answer(socket, conversation, wishes))
    elif request["method"] == "chat.close":
        if conversation in answers:
            answers.pop(conversation).cancel()
        await reply(socket, number, {"closed": True})
    else:
        await reply(socket, number, {"lines": []})


async def answer(socket: WebSocket, conversation: str, wishes: dict[str, Any]) -> None:
    """Stream an answer piece by piece, and say that it is done."""
    if wishes["end"] == "hang":
        await asyncio.sleep(3600)
    await asyncio.sleep(wishes["first"])
    if wishes["end"] in ("failed", "timeout"):
        await notify(socket, "chat.failed", {"conversation": conversation, "reason": wishes["end"]})
        return
    for number in range(wishes["pieces"]):
        if number:
            await asyncio.sleep(wishes["gap"])
        await notify(socket, "chat.delta", {"conversation": conversation, "text": PIECES[number % len(PIECES)]})
    await notify(socket, "chat.done", {"conversation": conversation, "pieces": wishes["pieces"]})


async def notify(socket: WebSocket, method: str, params: dict[str, Any]) -> None:
    """Send a notification."""
    await send(socket, {"method": method, "params": params})


async def reply(socket: WebSocket, number: int, result: dict[str, Any]) -> None:
    """Send a reply."""
    await send(socket, {"id": number, "result": result})


async def send(socket: WebSocket, frame: dict[str, Any]) -> None:
    """Send a frame, compact."""
    frame = {"jsonrpc": "2.0", **frame}
    await socket.send_text(json.dumps(frame, separators=(",", ":"), ensure_ascii=False))
