"""An AI that falls silent, told while the exchange hangs."""

from __future__ import annotations

import time

import pytest

from ailoop_otel import names
from tests.ailoop.client import connected
from tests.ailoop.process import Installation
from tests.serving.conftest import Serve
from tests.serving.folder import Folder, Span

INTERVAL = 0.5
DEADLINE = 1.0
# The deadline, 100 ms and one export interval; reading the folder takes its own time.
LATEST = DEADLINE + 0.1 + INTERVAL + 0.1
VARIABLES = {"AILOOP_OTEL_AI_TIMEOUT_FIRST_CHUNK": str(DEADLINE), "OTEL_BSP_SCHEDULE_DELAY": str(int(INTERVAL * 1000))}


@pytest.mark.fault(
    "provider",
    theirs="The provider hangs",
    promise="Span, event and counter while it hangs, within 100 ms and an export interval",
)
async def test_a_hanging_provider_is_told_while_it_hangs(
    installation: Installation, serve: Serve, folder: Folder
) -> None:
    """Span, log event and counter are in the files within 100 ms of the deadline and one export interval."""
    server = serve(installation, **VARIABLES, OTEL_METRIC_EXPORT_INTERVAL="200", OTEL_BLRP_SCHEDULE_DELAY="200")
    tried: list[tuple[float, float, float]] = []
    # A busy machine delays each of them now and then, and nothing makes it faster: the best of three counts.
    while len(tried) < 3 and not any(map(in_time, tried)):
        async with connected(server.port, server.dialect) as client:
            await client.start_session()
            exchange = await client.send("x [[hang]]")
            sent = time.time()
            timeout = told(folder, len(tried) + 1)
            seen = time.time() - sent
            assert not exchange.completed
            assert folder.spans("sendUserMessage")[len(tried) :] == []
            assert folder.wait(lambda folder: folder.events(names.EVENT_AI_TIMEOUT))
            assert folder.wait(lambda folder: folder.points(names.METRIC_ERRORS.name))
            assert folder.wait(lambda folder: folder.points(names.METRIC_DETECTION_DELAY.name))
        assert timeout.error
        assert timeout.attributes[names.TIMEOUT_PHASE] == "first_chunk"
        assert timeout.attributes[names.TIMEOUT_DEADLINE] == DEADLINE
        tried.append((seen, timeout.attributes[names.TIMEOUT_DETECTION_DELAY], timeout.duration))
    assert in_time(tried[-1]), tried


def told(folder: Folder, count: int) -> Span:
    """The newest of so many timeouts, waited for."""
    found: list[Span] = folder.wait(
        lambda folder: spans if len(spans := folder.spans(names.SPAN_AI_TIMEOUT)) >= count else None
    )
    assert len(found) == count
    return found[-1]


def in_time(measured: tuple[float, float, float]) -> bool:
    """Whether a timeout was in the files, was noticed, and lasted as long as it should; all in seconds."""
    seen, delay, duration = measured
    return seen < LATEST and delay < 0.1 and abs(duration - DEADLINE) < 0.1


@pytest.mark.fault(
    "foreign",
    theirs="The event loop is blocked while the provider is silent",
    promise="The timeout is noticed all the same",
)
async def test_a_blocked_event_loop_does_not_delay_it(stateless: Installation, serve: Serve, folder: Folder) -> None:
    """A tool that sleeps on the event loop freezes every session; the watchdog is a thread."""
    server = serve(stateless, **VARIABLES)
    async with (
        connected(server.port, server.dialect) as victim,
        connected(server.port, server.dialect) as blocker,
    ):
        await victim.start_session()
        await blocker.start_session()
        waiting = await victim.send("x [[hang]]")
        sent = time.time()
        block = 'x [[tool name=execute_command arguments={"command": "sleep 4", "cwd": "."}]] [[say chunks=2]]'
        blocking = await blocker.send(block)
        (timeout,) = folder.wait(lambda folder: folder.spans(names.SPAN_AI_TIMEOUT))
        # Long before the event loop runs again.
        assert time.time() - sent < LATEST + 1
        assert not waiting.completed
        assert not blocking.completed
        await blocking.done()
        assert blocking.seconds is not None
        assert blocking.seconds > 4
        (root,) = folder.exchanges(1)
    # The one whose tool runs is waited for no longer than its tool: its clocks stand still.
    assert timeout.trace != root.trace
    assert root.attributes[names.OUTCOME] == "ok"
    assert names.TIMEOUT_RECOVERED not in root.attributes


@pytest.mark.fault(
    "provider",
    theirs="The provider stalls between two chunks, and goes on",
    promise="The stall is told; the whole answer keeps its outcome",
)
async def test_a_stall_is_told_and_recovers(installation: Installation, serve: Serve, folder: Folder) -> None:
    """Silence between two chunks; a whole answer that comes after all keeps its outcome."""
    server = serve(installation, AILOOP_OTEL_AI_TIMEOUT_STALL="0.5", OTEL_BSP_SCHEDULE_DELAY="200")
    async with connected(server.port, server.dialect) as client:
        await client.start_session()
        exchange = await client.send("x [[say chunks=4 pause=1.5 after=2]]")
        (timeout,) = folder.wait(lambda folder: folder.spans(names.SPAN_AI_TIMEOUT))
        assert not exchange.completed
        await exchange.done()
        (root,) = folder.exchanges(1)
    assert timeout.attributes[names.TIMEOUT_PHASE] == "stall"
    assert timeout.trace == root.trace
    assert root.attributes[names.OUTCOME] == "ok"
    assert root.attributes[names.TIMEOUT_RECOVERED] is True
    assert root.attributes[names.STREAM_CHUNKS] == 4
