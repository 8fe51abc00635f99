"""Plain HTTP requests: traced without what their clients wrote, and without harm."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry import propagate

from ailoop_otel import names
from ailoop_otel.server.http import traced_http
from tests.recorder import Recording

SCOPE = {
    "type": "http", "method": "GET", "path": "/chat", "query_string": b"key=canary", "scheme": "http",
    "http_version": "1.1", "server": ("127.0.0.1", 8000), "client": ("127.0.0.1", 5000),
    "headers": [(b"host", b"127.0.0.1:8000"), (b"user-agent", b"canary")],
}  # fmt: skip


class Failure(Exception):
    """What the application raises."""


async def answer(scope: Any, receive: Any, send: Any) -> None:
    """An application that answers."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def nothing(*message: Any) -> None:
    """Nobody listens."""


async def test_queries_and_agents_are_not_recorded() -> None:
    """They hold tokens more often than not."""
    recording = Recording()
    await traced_http(answer, recording.tracers, recording.meters)(dict(SCOPE), nothing, nothing)
    (span,) = recording.spans()
    assert "canary" not in span.to_json()


async def test_an_exception_passes_and_its_text_is_not_recorded() -> None:
    """The same object, though the instrumentation does not see it; the span says its class."""
    recording = Recording()
    fault = Failure("canary")

    async def fail(scope: Any, receive: Any, send: Any) -> None:
        raise fault

    with pytest.raises(Failure) as raised:
        await traced_http(fail, recording.tracers, recording.meters)(dict(SCOPE), nothing, nothing)
    assert raised.value is fault
    (span,) = recording.spans()
    assert span.attributes[names.ERROR_TYPE] == "Failure"
    assert "canary" not in span.to_json()


async def test_without_a_propagator_requests_are_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    """OTEL_PROPAGATORS=none makes `extract` return nothing, which the instrumentation does not expect."""
    recording = Recording()
    monkeypatch.setattr(propagate, "extract", lambda *args, **kwargs: None)
    assert traced_http(answer, recording.tracers, recording.meters) is answer
