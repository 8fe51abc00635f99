"""The server: one WebSocket endpoint that speaks JSON-RPC 2.0, one request after the other on each connection."""

import argparse
import inspect
import json
import logging
import os
import uuid

from ai_whisperer.core.config import load_config
from ai_whisperer.core.logging import setup_logging
from fastapi import FastAPI, WebSocket
from fastapi.middleware.cors import CORSMiddleware

from .async_agent_endpoints import AsyncAgentEndpoints
from .handlers.agents import agent_handlers
from .handlers.channels import FIXED_HANDLERS, channel_handlers
from .mcp_integration import MCP_HANDLERS, get_mcp_manager
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
from .stateless_session_manager import StatelessSessionManager
from .structured import cleaned_reply

parser = argparse.ArgumentParser(description="A stand-in for the interactive server")
parser.add_argument("--config", default=os.environ.get("AIWHISPERER_CONFIG", "config/main.yaml"))
parser.add_argument("--host", default="127.0.0.1")
parser.add_argument("--port", type=int, default=8000)
parser.add_argument("--mcp_server_enable", action="store_true")
parser.add_argument("--mcp_server_port", type=int, default=8002)
cli_args = parser.parse_args(None if __name__ == "__main__" else [])

setup_logging(port=cli_args.port)
logger = logging.getLogger(__name__)

app = FastAPI()
app.add_middleware(CORSMiddleware, allow_origins=["http://localhost:3000"], allow_methods=["*"])

try:
    app_config = load_config(cli_args.config)
except Exception as error:
    logger.error("Failed to load configuration: %s", error, exc_info=True)
    app_config = {}

session_manager = StatelessSessionManager(app_config)
async_agent_endpoints = AsyncAgentEndpoints(session_manager)


async def start_session_handler(params, websocket=None):
    """Make a session and start it."""
    model = StartSessionRequest(**params)
    session_id = await session_manager.create_session(websocket)
    await session_manager.start_session(session_id, model.sessionParams.context if model.sessionParams else None)
    return StartSessionResponse(sessionId=session_id, status=SessionStatus.Active).model_dump()


async def send_user_message_handler(params, websocket=None):
    """Answer a message; the response comes after the whole answer."""
    try:
        model = SendUserMessageRequest(**params)
    except Exception as error:
        raise ValueError(f"Missing required parameter or invalid format: {error}") from error
    session = session_manager.get_session_by_websocket(websocket) or session_manager.get_session(model.sessionId)
    if session is None:
        raise ValueError(f"Invalid session: {model.sessionId}")
    try:
        result = await session.send_user_message(model.message)
    except Exception as error:
        raise RuntimeError(f"Failed to send message: {error}") from error
    response = SendUserMessageResponse(messageId=str(uuid.uuid4()), status=MessageStatus.OK).model_dump()
    if result:
        response["ai_response"] = cleaned_reply(result.get("response", ""))
        response["tool_calls"] = result.get("tool_calls", [])
    return response


async def provide_tool_result_handler(params, websocket=None):
    """Accept a tool result, to no effect."""
    model = ProvideToolResultRequest(**params)
    if session_manager.get_session(model.sessionId) is None:
        raise ValueError(f"Session {model.sessionId} not found")
    return ProvideToolResultResponse(status=ToolResultStatus.OK).model_dump()


async def stop_session_handler(params, websocket=None):
    """Stop a session; whatever happens, it is said to be stopped."""
    try:
        model = StopSessionRequest(**params)
        session = session_manager.get_session(model.sessionId)
        if session:
            await session_manager.stop_session(model.sessionId)
            notice = SessionStatusNotification(
                sessionId=model.sessionId, status=SessionStatus.Stopped, reason="Session stopped"
            )
            await session.send_notification("SessionStatusNotification", notice)
            await async_agent_endpoints.cleanup_session(model.sessionId)
            await session_manager.cleanup_session(model.sessionId)
    except Exception as error:
        logger.debug("stopSession: %s", error, exc_info=True)
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
    **FIXED_HANDLERS,
    **agent_handlers(session_manager),
    **channel_handlers(session_manager),
    **MCP_HANDLERS,
    **async_agent_endpoints.handlers(),
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
        if isinstance(result, dict) and "error" in result:
            return {**result, "id": msg["id"]}
        return {"jsonrpc": "2.0", "id": msg["id"], "result": result}
    except (ValueError, TypeError) as error:
        return _error(msg["id"], -32602, f"Invalid params: {error}")
    except Exception as error:
        logger.error("[process_json_rpc_request] Exception: %s", error, exc_info=True)
        return _error(msg["id"], -32603, f"Internal error: {error}")


async def handle_websocket_message(websocket, data):
    """Return the response to a frame, or None where there is none."""
    try:
        msg = json.loads(data)
    except ValueError:
        return _error(None, -32700, "Parse error")
    if not isinstance(msg, dict) or msg.get("jsonrpc") != "2.0" or "method" not in msg:
        return _error(msg.get("id") if isinstance(msg, dict) else None, -32600, "Invalid Request")
    if "id" in msg:
        return await process_json_rpc_request(msg, websocket)
    if msg["method"] in ("sendUserMessage", "provideToolResult"):
        msg["id"] = f"notification_{msg['method']}_{id(msg)}"
        await process_json_rpc_request(msg, websocket)
    return None


@app.websocket("/ws")
async def websocket_endpoint(websocket: WebSocket):
    """Serve one connection until it breaks; its session stays."""
    await websocket.accept()
    try:
        while True:
            data = await websocket.receive_text()
            logger.error("[websocket_endpoint] CRITICAL: Received message: %s", data)
            response = await handle_websocket_message(websocket, data)
            logger.error("[websocket_endpoint] CRITICAL: Generated response: %s", response)
            if response:
                await websocket.send_text(json.dumps(response))
    except Exception as error:  # noqa: BLE001 - leaving is an error like any other here
        logger.error("[websocket_endpoint] WebSocket error: %s", error)
    session = session_manager.get_session_by_websocket(websocket)
    session_manager.websocket_sessions.pop(websocket, None)
    if session:
        session.websocket = None


@app.on_event("startup")
async def on_startup():
    """Start the MCP server if it is wanted."""
    if cli_args.mcp_server_enable:
        await get_mcp_manager().start_mcp_server({"port": cli_args.mcp_server_port})


if __name__ == "__main__":
    import uvicorn

    uvicorn.run(app, host=cli_args.host, port=cli_args.port)
