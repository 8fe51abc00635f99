"""A small chat server that speaks as AILoop's current generation does."""

from __future__ import annotations

import asyncio
import json
import os
import threading
import uuid
from collections.abc import Callable
from typing import Any

import fastapi

ANSWER = ("It ", "is ", "noon.")


def make_app(step: Callable[[str], None]) -> fastapi.FastAPI:
    """The application; `/step/<name>` calls `step` in the event loop, `/aside/<name>` in another thread."""
    # Looked up now: an instrumentor may have put a class of its own in its place.
    app = fastapi.FastAPI()

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/process")
    async def process() -> int:
        return os.getpid()

    @app.get("/threads")
    async def threads() -> list[str]:
        return sorted(thread.name for thread in threading.enumerate())

    @app.get("/step/{name}")
    async def take(name: str) -> dict[str, str]:
        step(name)
        return {"step": name}

    @app.get("/aside/{name}")
    def take_aside(name: str) -> dict[str, str]:
        step(name)
        return {"step": name}

    app.add_api_websocket_route("/ws", converse)
    return app


async def converse(websocket: fastapi.WebSocket) -> None:
    """Answer one request after the other."""
    await websocket.accept()
    try:
        while True:
            request = json.loads(await websocket.receive_text())
            result = await _METHODS[request["method"]](websocket, request["params"])
            await _send(websocket, id=request["id"], result=result)
    except fastapi.WebSocketDisconnect:
        return


async def _start(websocket: fastapi.WebSocket, params: dict[str, Any]) -> dict[str, Any]:
    return {"sessionId": str(uuid.uuid4()), "status": 1, "pid": os.getpid()}


async def _answer(websocket: fastapi.WebSocket, params: dict[str, Any]) -> dict[str, Any]:
    text = ""
    for piece in (*ANSWER, ""):
        # All text so far in every frame, and the whole of it twice.
        await asyncio.sleep(0.002)
        text += piece
        about = {"sessionId": params["sessionId"], "agentId": "a", "isPartial": True, "format": "text"}
        update = {"type": "streaming_chunk", "content": text, **about, "rawContent": True}
        await _send(websocket, method="StreamingUpdate", params=update)
    if params["message"] == "wait":
        await _RELEASED.wait()
    about = {"sequence": 1, "agentId": "a", "sessionId": params["sessionId"], "isPartial": False}
    whole = {"type": "channel_message", "channel": "final", "content": text, "metadata": about}
    await _send(websocket, method="ChannelMessageNotification", params=whole)
    return {"messageId": str(uuid.uuid4()), "status": 0, "ai_response": text, "tool_calls": []}


async def _release(websocket: fastapi.WebSocket, params: dict[str, Any]) -> str:
    _RELEASED.set()
    return "released"


async def _send(websocket: fastapi.WebSocket, **frame: Any) -> None:
    await websocket.send_json({"jsonrpc": "2.0", **frame})


_RELEASED = asyncio.Event()
_METHODS = {"startSession": _start, "sendUserMessage": _answer, "echo": _release}
