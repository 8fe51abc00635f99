"""The server: one WebSocket endpoint that speaks JSON-RPC 2.0, one request after the other on each connection."""

import argparse
import asyncio
import json
import logging
import os
import threading
import uuid

import requests
from fastapi import FastAPI, WebSocket, WebSocketDisconnect

API_URL = os.environ.get("AILOOP_API_URL", "https://openrouter.ai/api/v1/chat/completions")
MODEL = "google/gemini-2.5-flash-preview-05-20:thinking"

logger = logging.getLogger(__name__)
app = FastAPI()
sessions = {}  # the conversation of each, by its id


def _read(conversation, put):
    """Call the model, and hand each piece of its answer over, then None, or the exception."""
    headers = {"Authorization": f"Bearer {os.environ.get('OPENROUTER_API_KEY', '')}"}
    payload = {"model": MODEL, "messages": conversation, "stream": True}
    try:
        with requests.post(API_URL, headers=headers, json=payload, stream=True, timeout=60) as response:
            response.raise_for_status()
            for line in response.iter_lines():
                text = line.removeprefix(b"data: ").decode()
                if not line.startswith(b"data: ") or text == "[DONE]":
                    continue
                for choice in json.loads(text)["choices"]:
                    put(choice["delta"].get("content"))
        put(None)
    except Exception as error:  # noqa: BLE001 - the event loop's side raises it
        put(error)


async def pieces(conversation):
    """The answer of the model, piece by piece; `requests` runs in a bare thread."""
    loop, queue = asyncio.get_running_loop(), asyncio.Queue()

    def put(item):
        if item != "" and not loop.is_closed():
            loop.call_soon_threadsafe(queue.put_nowait, item)

    threading.Thread(target=_read, args=(list(conversation), put), daemon=True).start()
    while (item := await queue.get()) is not None:
        if isinstance(item, Exception):
            raise item
        yield item


async def notify(websocket, method, params):
    """Send a notification: compact, its method last; a client that has left is no reason to stop."""
    try:
        frame = {"params": params, "jsonrpc": "2.0", "method": method}
        await websocket.send_text(json.dumps(frame, separators=(",", ":"), ensure_ascii=False))
    except Exception as error:  # noqa: BLE001
        logger.error("%s could not be sent: %s", method, error)


async def start_session(params, websocket):
    """Make a session."""
    session_id = str(uuid.uuid4())
    sessions[session_id] = [{"role": "system", "content": "You are an AI assistant."}]
    await notify(websocket, "agent.created", {"agent_id": "a", "active": True})
    return {"sessionId": session_id, "status": 1}


async def send_user_message(params, websocket):
    """Answer a message; the reply comes after the whole answer."""
    session_id, conversation = params["sessionId"], sessions[params["sessionId"]]
    conversation.append({"role": "user", "content": params["message"]})
    answer = ""
    try:
        async for piece in pieces(conversation):
            answer += piece
            chunk = {"isFinal": False, "chunk": piece, "sessionId": session_id}
            await notify(websocket, "AIMessageChunkNotification", chunk)
    except Exception as error:  # noqa: BLE001 - the client gets an answer that is null
        logger.error("The model failed: %s", error)
        answer = None
    if answer:
        conversation.append({"role": "assistant", "content": answer})
    return {"messageId": str(uuid.uuid4()), "status": 0, "ai_response": answer}


async def stop_session(params, websocket):
    """Forget a session."""
    sessions.pop(params["sessionId"], None)
    return {"status": 2}


async def echo(params, websocket):
    """Return the message."""
    return params["message"]


HANDLERS = {
    "startSession": start_session,
    "sendUserMessage": send_user_message,
    "stopSession": stop_session,
    "echo": echo,
}


async def reply_to(request, websocket):
    """The reply to a request; None where it has no id."""
    if "id" not in request:
        return None
    head = {"jsonrpc": "2.0", "id": request["id"]}
    handler = HANDLERS.get(request.get("method"))
    if handler is None:
        return head | {"error": {"code": -32601, "message": "Method not found"}}
    try:
        return head | {"result": await handler(request.get("params", {}), websocket)}
    except (LookupError, TypeError) as error:
        return head | {"error": {"code": -32602, "message": f"Invalid params: {error!r}"}}


@app.websocket("/ws")
async def websocket_endpoint(websocket: WebSocket):
    """Serve one connection until it breaks; its sessions stay."""
    await websocket.accept()
    try:
        while True:
            reply = await reply_to(json.loads(await websocket.receive_text()), websocket)
            if reply is not None:
                await websocket.send_text(json.dumps(reply))
    except WebSocketDisconnect:
        return


if __name__ == "__main__":
    import uvicorn

    parser = argparse.ArgumentParser(description="A server of mixed traits")
    parser.add_argument("--port", type=int, default=8000)
    uvicorn.run(app, host="127.0.0.1", port=parser.parse_args().port)
