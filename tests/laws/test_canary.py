"""What a client invents becomes no label, and what people and models say becomes nothing at all."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

from ailoop_otel import names
from tests.laws.conversations import START, closed, frame
from tests.laws.stage import Host, Socket
from tests.scripted import SESSION, channel, chunk, compact, reply, spaced, status, update

CANARY = "canary-7f3a"  # may be recorded, since it is harmless
SECRET = "secret 7f3a, of which nobody must hear"
SECRETS = [SECRET, SECRET.split(",")[0], "nobody must hear", SECRET.replace(" ", "")]
HOSTILE_HANDSHAKE = {
    "path": f"/{CANARY}",
    "query_string": CANARY.encode(),
    "subprotocols": [CANARY],
    "headers": [(name, CANARY.encode()) for name in (b"origin", b"user-agent", b"traceparent", b"cookie", b"host")],
    "client": (CANARY, 7),
}


def invented() -> Iterator[dict[str, Any]]:
    """Requests with the canary in each place in turn, and in all at once."""
    plain: dict[str, Any] = {"jsonrpc": "2.0", "method": "sendUserMessage", "id": 1}
    params: dict[str, Any] = {"sessionId": SESSION, "message": "x"}
    meta = {"traceparent": CANARY, "tracestate": f"a={CANARY}", CANARY: CANARY}
    for method in ("sendUserMessage", "startSession", "stopSession", "echo", "session.switch_agent", CANARY):
        for change in (
            {}, {"id": CANARY}, {"id": {CANARY: CANARY}}, {"jsonrpc": CANARY}, {"params": CANARY}, {CANARY: CANARY},
        ):  # fmt: skip
            yield {**plain, "method": method, "params": params, **change}
        for key in ("sessionId", "message", "userId", "agent_id", "command", "_meta", CANARY):
            yield {**plain, "method": method, "params": {**params, key: CANARY if key != "_meta" else meta}}
    yield {**plain, "method": "echo", "params": {"error": {"code": CANARY}}}
    yield {**plain, "method": "echo", "params": {"error": {"code": 7_373}}}


async def obliging(socket: Socket, message: Any) -> None:
    """A server of either generation that takes whatever it is given, and gives it back."""
    request = json.loads(message["text"])
    session = request["params"].get("sessionId") if isinstance(request["params"], dict) else None
    await socket.text(compact("agent.created", {"agent_id": CANARY}))
    if request["method"] == "startSession":
        await socket.text(reply(request["id"], {"sessionId": session or SESSION, "status": 1}))
    elif request["method"] == "echo":
        params = request["params"] if isinstance(request["params"], dict) else {"result": request["params"]}
        await socket.text(json.dumps({**params, "id": request["id"]}))
    elif request["method"] == "sendUserMessage":
        await socket.text(update("x", str(session)))
        await socket.text(reply(request["id"], {"messageId": CANARY, "ai_response": "x"}))
    else:
        await socket.text(reply(request["id"], {"status": 2}))


async def acknowledging(socket: Socket, message: Any) -> None:
    """The same, as the earlier generation speaks."""
    request = json.loads(message["text"])
    session = request["params"].get("sessionId") if isinstance(request["params"], dict) else None
    if request["method"] == "startSession":
        await socket.text(status(1, CANARY))
        await socket.text(reply(request["id"], {"sessionId": session or SESSION, "status": 1}))
    elif request["method"] == "sendUserMessage":
        await socket.text(reply(request["id"], {"messageId": CANARY, "status": 0}))
        await socket.text(chunk("x", str(session)))
        await socket.text(status(3, CANARY, str(session)))
    else:
        await socket.text(json.dumps({**request, "result": CANARY, "method": CANARY}))
        await socket.text(json.dumps({"error": request["params"], "id": request["id"]}))


@pytest.mark.parametrize("handler", [obliging, acknowledging])
@pytest.mark.parametrize("trust", [True, False])
@pytest.mark.fault(
    "clients",
    theirs="A client invents methods, ids, sessions, headers",
    promise="None becomes a label of a metric",
)
def test_nothing_that_a_client_invents_becomes_a_label(handler: Any, trust: bool) -> None:
    """Whichever field it stands in: methods, ids, sessions, parameters, traces, headers."""
    host = Host(trust_client=trust)
    steps = [START, *(frame(json.dumps(request)) for request in invented()), closed(1006)]
    assert Socket(host, steps, handler).serve(**HOSTILE_HANDSHAKE).raised is None
    recording = host.recording
    assert recording is not None
    labels = [str(point.labels) for metric in names.METRICS for point in recording.points(metric.name)]
    assert len(labels) > 10
    assert not [label for label in labels if CANARY in label or "7373" in label]
    # It was there to be recorded: as an attribute it may be.
    assert CANARY in str([dict(span.attributes or {}) for span in recording.spans()])


# --- What is said ----------------------------------------------------------------------------------------------
def told(words: str, **params: Any) -> dict[str, Any]:
    """A user's message, with the secret wherever a client can put one."""
    everywhere = {"sessionId": SESSION, "message": words, SECRET: SECRET, "_meta": {"traceparent": SECRET}, **params}
    return frame(
        json.dumps({"jsonrpc": "2.0", "method": "sendUserMessage", "id": 1, "params": everywhere, SECRET: SECRET})
    )


async def talkative(socket: Socket, message: Any) -> None:
    """A server of the current generation that says the secret in every field it has."""
    request = json.loads(message["text"]) if message["text"].startswith("{") else {}
    request_id = request.get("id")
    if request.get("method") == "startSession":
        await socket.text(reply(request_id, {"sessionId": SESSION, "status": 1, "note": SECRET}))
        return
    said = request["params"]["message"] if request.get("method") == "sendUserMessage" else ""
    await socket.text(compact("agent.created", {"agent_id": SECRET}))
    await socket.text(update(SECRET))
    await socket.text(update(SECRET + SECRET, structured=True))
    await socket.text(channel(SECRET))
    await socket.text(compact("agent.message", {"message": SECRET}))
    if said.startswith("fail"):
        raise RuntimeError(SECRET)
    if said.startswith("error"):
        error = {"code": -32603, "message": SECRET, "data": SECRET}
        await socket.text(json.dumps({"jsonrpc": "2.0", "id": request_id, "error": error}))
    elif said.startswith("odd"):
        await socket.text(json.dumps({"error": SECRET, "message": SECRET, "id": request_id}))
    else:
        tool = {"function": {"name": SECRET, "arguments": SECRET}}
        await socket.text(reply(request_id, {"messageId": SECRET, "ai_response": SECRET, "tool_calls": [tool]}))


async def talkative_delegates(socket: Socket, message: Any) -> None:
    """The same in the earlier generation."""
    request = json.loads(message["text"]) if message["text"].startswith("{") else {}
    if request.get("method") == "startSession":
        await socket.text(status(1, SECRET))
        await socket.text(reply(request.get("id"), {"sessionId": SESSION, "status": 1}))
        return
    said = request["params"]["message"] if request.get("method") == "sendUserMessage" else ""
    await socket.text(reply(request.get("id"), {"messageId": SECRET, "status": 0}))
    if said.startswith("fail"):
        raise RuntimeError(SECRET)
    await socket.text(chunk(SECRET, "short"))
    await socket.text(chunk(SECRET))
    await socket.text(spaced("ToolCallNotification", {"sessionId": SESSION, "toolName": SECRET, "arguments": SECRET}))
    await socket.text(status(3, f"Error: {SECRET}") if said.startswith("error") else chunk(SECRET, final=True))


@pytest.mark.parametrize("handler", [talkative, talkative_delegates])
def test_nothing_that_is_said_is_recorded(handler: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Not in a span, an event, a status, a metric or a line of the log; whole or in part."""
    caplog.set_level(logging.DEBUG)
    host = Host()

    def look() -> None:
        host.clock.move(400)
        host.look()

    requests = [told(word + SECRET) for word in ("plain ", "error ", "odd ", "/", "")]
    odd = [SECRET, {SECRET: SECRET}, {"jsonrpc": "2.0", "method": SECRET, "id": SECRET, "params": SECRET}]
    extras = [frame(SECRET), *(frame(json.dumps(request)) for request in odd)]
    nowhere = [told("no session", sessionId=session) for session in (None, SECRET)]
    endings: list[list[Any]] = [[look, closed(1006)], [told("fail " + SECRET)], [RuntimeError(SECRET)]]
    for steps in ([START, *requests, *extras, *ending] for ending in endings):
        Socket(host, steps, handler).serve(headers=[(b"traceparent", SECRET.encode())])
    for message in nowhere:
        Socket(host, [message], handler).serve(path=SECRET, client=(SECRET, 1))
    recording = host.recording
    assert recording is not None
    everything = exported(recording) + caplog.text
    assert "sendUserMessage" in everything
    assert not [secret for secret in SECRETS if secret in everything]


def exported(recording: Any) -> str:
    """All signals as they leave the process, as text."""
    metrics = recording.reader.get_metrics_data()
    signals = (
        encode_spans(recording.spans()),
        encode_logs(recording._logs.get_finished_logs()),
        encode_metrics(metrics),
    )
    return "".join(map(str, signals))


@pytest.mark.fault(
    "clients",
    ours="A fault of ours whose text holds what a user wrote",
    promise="Only its place and class are logged",
)
def test_a_fault_of_ours_tells_nothing_of_what_was_said(caplog: pytest.LogCaptureFixture) -> None:
    """Its text may hold it, so only its place and class are told."""
    host = Host()
    host.wire()
    assert host.recording is not None

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError(SECRET)

    host.recording.telemetry.start_span = fail  # type: ignore[assignment]
    Socket(host, [START, told(SECRET)], talkative).serve()
    assert host.guard.errors
    assert caplog.text
    assert SECRET not in caplog.text
