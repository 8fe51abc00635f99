"""The server: one WebSocket endpoint; the answers come as notifications, from the sessions' own tasks."""

import argparse
import asyncio
import inspect
import json
import logging
import os
import uuid

from ai_whisperer.config import load_config
from fastapi import FastAPI, WebSocket

from .message_models import (
    MessageStatus,
    ProvideToolResultRequest,
    ProvideToolResultResponse,
    SendUserMessageRequest,
    SendUserMessageResponse,
    SessionStatus,
    SessionStatusNotification,
    StartSessionRequest,
    StartSessionResponse,
    StopSessionRequest,
    StopSessionResponse,
    ToolResultStatus,
)
from .session_manager import InteractiveSessionManager

app = FastAPI()

try:
    app_config = load_config(os.environ.get("AIWHISPERER_CONFIG", "config.yaml"))
except Exception as error:
    logging.error("Failed to load configuration: %s", error, exc_info=True)
    app_config = {}

session_manager = InteractiveSessionManager(app_config)


async def start_session_handler(params, websocket=None):
    """Make a session and start it."""
    StartSessionRequest(**params)
    session_id = await session_manager.create_session(websocket)
    await session_manager.start_session(session_id)
    return StartSessionResponse(sessionId=session_id, status=SessionStatus.Active).model_dump()


async def send_user_message_handler(params, websocket=None):
    """Queue a message and say so."""
    try:
        model = SendUserMessageRequest(**params)
    except Exception as error:
        session = session_manager.get_session(params.get("sessionId"))
        if session and session.delegate_bridge:
            await session.delegate_bridge._handle_error(sender=None, event_data=error)
            await asyncio.sleep(0.3)
        raise
    session = session_manager.get_session(model.sessionId)
    if session is None:
        raise ValueError(f"Session {model.sessionId} not found")
    await session.send_user_message(model.message)
    return SendUserMessageResponse(messageId=str(uuid.uuid4()), status=MessageStatus.OK).model_dump()


async def provide_tool_result_handler(params, websocket=None):
    """Hand a tool result to the loop, which wants it in another shape."""
    model = ProvideToolResultRequest(**params)
    session = session_manager.get_session(model.sessionId)
    if session is None:
        raise ValueError(f"Session {model.sessionId} not found")
    await session.interactive_ai.ai_loop._handle_provide_tool_result(tool_call_id=model.toolCallId, result=model.result)
    return ProvideToolResultResponse(status=ToolResultStatus.OK).model_dump()


async def stop_session_handler(params, websocket=None):
    """Stop a session; one that is not there is an internal error, by a slip that the real server has too."""
    try:
        model = StopSessionRequest(**params)
        session = session_manager.get_session(model.sessionId)
    except Exception as error:
        raise UnboundLocalError("SessionStatus") from error
    if session is None:
        raise UnboundLocalError("SessionStatus")
    try:
        await session_manager.stop_session(model.sessionId)
        notice = SessionStatusNotification(
            sessionId=model.sessionId, status=SessionStatus.Stopped, reason="Session stopped"
        )
        await session.send_notification("SessionStatusNotification", notice)
        await session_manager.cleanup_session(model.sessionId)
    except Exception as error:
        logging.debug("stopSession: %s", error, exc_info=True)
    return StopSessionResponse(status=SessionStatus.Stopped).model_dump()


async def echo_handler(params, websocket=None):
    """Return the message, or else the params."""
    return params["message"] if isinstance(params, dict) and "message" in params else params


HANDLERS = {
    "startSession": start_session_handler,
    "sendUserMessage": send_user_message_handler,
    "provideToolResult": provide_tool_result_handler,
    "stopSession": stop_session_handler,
    "echo": echo_handler,
}


def _error(request_id, code, message):
    return {"jsonrpc": "2.0", "id": request_id, "error": {"code": code, "message": message}}


async def process_json_rpc_request(msg, websocket):
    """Run the method's handler and wrap what it returns."""
    handler = HANDLERS.get(msg["method"])
    if not handler:
        return _error(msg["id"], -32601, "Method not found")
    try:
        result = handler(msg.get("params", {}), websocket=websocket)
        if inspect.iscoroutinefunction(handler):
            result = await result
        return {"jsonrpc": "2.0", "id": msg["id"], "result": result}
    except (ValueError, TypeError):
        return _error(msg["id"], -32602, "Invalid params")


async def handle_websocket_message(websocket, data):
    """Return the response to a frame, or None where there is none."""
    try:
        msg = json.loads(data)
    except ValueError:
        return _error(None, -32700, "Parse error")
    if not isinstance(msg, dict) or msg.get("jsonrpc") != "2.0" or "method" not in msg:
        return _error(msg.get("id") if isinstance(msg, dict) else None, -32600, "Invalid Request")
    if "id" not in msg:
        return None
    try:
        return await process_json_rpc_request(msg, websocket)
    except Exception as error:
        logging.error("Unhandled exception in handler: %s", error, exc_info=True)
        return _error(msg["id"], -32603, "Internal error")


@app.websocket("/ws")
async def websocket_endpoint(websocket: WebSocket):
    """Serve one connection until it breaks; its sessions go on."""
    await websocket.accept()
    try:
        while True:
            data = await websocket.receive_text()
            logging.error("[websocket_endpoint] CRITICAL: Received message: %s", data)
            response = await handle_websocket_message(websocket, data)
            logging.error("[websocket_endpoint] CRITICAL: Generated response: %s", response)
            if response:
                await websocket.send_text(json.dumps(response))
    except Exception as error:  # noqa: BLE001 - leaving is an error like any other here
        logging.error("[websocket_endpoint] WebSocket error: %s", error)


if __name__ == "__main__":
    import uvicorn

    parser = argparse.ArgumentParser(description="A stand-in for the earlier interactive server")
    parser.add_argument("--port", type=int, default=8000)
    uvicorn.run(app, host="127.0.0.1", port=parser.parse_args().port)
