"""The trace that a client sends along."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from ailoop_otel import names
from ailoop_otel.wire.calls import handshake_trace, remote_span
from tests.scripted import request
from tests.wire.talk import Talk, message, stateless, streamed

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
CLIENT = f"00-{TRACE}-{SPAN}-01"
OTHER = f"00-{TRACE[::-1]}-{SPAN}-01"
MALFORMED: list[Any] = [
    "", "x", CLIENT[:-1], CLIENT + "-more", CLIENT.upper(), f"ff-{TRACE}-{SPAN}-01", f"00-{'0' * 32}-{SPAN}-01",
    f"00-{TRACE}-{'0' * 16}-01", 7, None, [CLIENT], {"traceparent": CLIENT}, CLIENT + "\ud800", "-" * 100_000,
]  # fmt: skip


async def asked(meta: Any = None, header: str | None = None, **settings: Any) -> Talk:
    """A message with a `traceparent` in its parameters, on a socket with one in its handshake."""
    headers = [(b"host", b"x")] + ([(b"traceparent", header.encode())] if header is not None else [])
    talk = await stateless(None, **settings)
    talk = await Talk(talk.server).open(headers=headers)
    await talk.say(message(2, _meta={"traceparent": meta}), *streamed(2, "Hi"))
    return talk


@pytest.mark.parametrize(("meta", "header"), [(CLIENT, None), (None, CLIENT), (CLIENT, OTHER), ("x", CLIENT)])
async def test_it_is_linked_unless_it_is_trusted(meta: Any, header: str | None) -> None:
    """A root of our own, with a link and the trace's id to search for; the parameters come before the handshake."""
    talk = await asked(meta, header)
    root = talk.recording.span("sendUserMessage")
    assert root.parent is None
    assert f"{root.context.trace_id:032x}" != TRACE
    assert [(f"{link.context.trace_id:032x}", f"{link.context.span_id:016x}") for link in root.links][0] == (
        TRACE,
        SPAN,
    )
    assert talk.exchanges()[0][names.CLIENT_TRACE_ID] == TRACE


@pytest.mark.parametrize(("meta", "header"), [(CLIENT, None), (None, CLIENT), (CLIENT, OTHER), ("x", CLIENT)])
async def test_it_is_the_parent_where_it_is_trusted(meta: Any, header: str | None) -> None:
    """The message is part of the client's trace then, and so is all below it."""
    talk = await asked(meta, header, trust_client=True)
    root = talk.recording.span("sendUserMessage")
    first = talk.recording.span(names.SPAN_FIRST_CHUNK)
    assert root.parent is not None
    assert (f"{root.context.trace_id:032x}", f"{root.parent.span_id:016x}") == (TRACE, SPAN)
    assert first.context.trace_id == root.context.trace_id
    assert names.CLIENT_TRACE_ID not in talk.exchanges()[0]


@pytest.mark.parametrize("trusted", [True, False])
@pytest.mark.parametrize("malformed", MALFORMED, ids=str(list(range(len(MALFORMED)))).strip("[]").split(", "))
@pytest.mark.fault(
    "clients",
    theirs="A malformed `traceparent`",
    promise="Ignored, without a line in the log",
)
async def test_what_is_malformed_is_ignored(malformed: Any, trusted: bool, caplog: pytest.LogCaptureFixture) -> None:
    """And nobody who sends it can fill the server's log."""
    caplog.set_level(logging.DEBUG)
    talk = await asked(malformed, trust_client=trusted)
    root = talk.recording.span("sendUserMessage")
    assert root.parent is None
    assert [link.context.trace_id for link in root.links] == [
        talk.recording.span(names.SPAN_SESSION_START).context.trace_id
    ]
    assert names.CLIENT_TRACE_ID not in talk.exchanges()[0]
    assert [record for record in caplog.records if record.name != "asyncio"] == []


async def test_every_call_has_it() -> None:
    """Not only messages."""
    talk = await Talk((await stateless(None)).server).open(headers=[(b"traceparent", CLIENT.encode())])
    await talk.say(request("echo", 1))
    await talk.leave()
    assert talk.calls("echo")[0][names.CLIENT_TRACE_ID] == TRACE


async def test_a_session_s_trace_is_its_own_whoever_is_trusted() -> None:
    """It outlives the client's."""
    talk = await asked(CLIENT, trust_client=True)
    assert f"{talk.recording.span(names.SPAN_SESSION_START).context.trace_id:032x}" != TRACE


def test_the_handshake_s_header_is_found_in_any_bytes() -> None:
    """Headers are bytes."""
    assert handshake_trace({"headers": [(b"x", b"\xff"), (b"traceparent", b"\xff\xfe")]}) == "ÿþ"
    assert handshake_trace({}) is None
    assert remote_span("ÿþ") is None
