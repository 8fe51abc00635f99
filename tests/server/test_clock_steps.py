"""A step of the wall clock moves no span within its trace: VM resume, chrony, an operator's hand."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextvars import Context
from datetime import timezone
from pathlib import Path
from typing import Any

import pytest
import wrapt
from opentelemetry.context import attach
from opentelemetry.sdk.trace import ReadableSpan

from ailoop_otel import names, units
from ailoop_otel import server as rooms
from ailoop_otel.recorded.records import Span
from ailoop_otel.recording.telemetry import SECOND
from ailoop_otel.server.mcp import called_hook, served_hook
from ailoop_otel.tracking.exchange import CURRENT
from ailoop_otel.view import theme, waterfall
from tests.exchanges import opened
from tests.recorder import Recording, duration
from tests.scripted import SESSION, request
from tests.server.in_process import StandIn, SteppingClock, hooked, piece, tool_calls, whole
from tests.view.conftest import console_of, written_on

DAY = 86_400.0
STEPS = (60.0, -60.0, DAY, -DAY)
# What the readings of the clock take in all is less, seconds: so a span is where it is without a step.
TOLERANCE = 1.0
SILENCE = 40.0
MAIL = {"to_agent": "Debbie", "subject": "s", "body": "b"}
CONTINUE = '{"response": "part one", "continuation": {"status": "CONTINUE", "reason": "more"}}'

Scene = Callable[[StandIn, SteppingClock], Awaitable[Recording]]


@pytest.fixture(scope="module")
def standin() -> Iterator[StandIn]:
    """Imported once: it takes a second."""
    with hooked() as standin:
        yield standin


async def message(standin: StandIn, clock: SteppingClock) -> Recording:
    """A message: a timeout, a batch of tools, mail to another agent that answers, a second call, a continuation."""
    server = standin.serve(clock, first_chunk=30.0, stall=0.0, total=0.0)

    def silence() -> None:
        clock.move(SILENCE)
        server.watchdog.check()

    tools = tool_calls(("check_mail", {}), ("send_mail_with_switch", MAIL), ("no_such_tool", {}))
    standin.provider.answers = [
        whole(silence, piece(content="mail "), piece(content="sent"), tools, finish_reason="tool_calls"),
        whole(piece(content="read"), piece(content=" it")),
        whole(piece(content=CONTINUE)),
        whole(piece(content="part"), piece(content=" two")),
    ]
    socket = await standin.connect(server)
    await socket.deliver(request("sendUserMessage", 2, sessionId=SESSION, message="x"))
    await socket.leave()
    assert not standin.provider.answers
    kinds = [span.name.split()[0] for span in server.recording.spans()]
    counts = {kind: kinds.count(kind) for kind in ("chat", "execute_tool", "invoke_agent", names.SPAN_AI_TIMEOUT)}
    assert counts == {"chat": 4, "execute_tool": 3, "invoke_agent": 2, names.SPAN_AI_TIMEOUT: 1}
    assert len(server.recording.events(names.EVENT_MAIL_SENT)) == 1
    assert len(server.recording.events(names.EVENT_AI_TIMEOUT)) == 1
    return server.recording


async def background(standin: StandIn, clock: SteppingClock) -> Recording:
    """A background agent's task: a model call, then tools, one of which sends mail."""
    server = standin.serve(clock)
    tools = tool_calls(("check_mail", {}), ("send_mail", MAIL))
    standin.provider.answers = [whole(lambda: clock.move(SILENCE), tools, finish_reason="tool_calls")]
    module = standin.module("ai_whisperer.services.agents.async_session_manager_v2")
    manager = module.AsyncAgentSessionManager({"openrouter": {"api_key": "key"}})
    agent = await manager.create_agent_session("d", auto_start=False)
    await manager._process_task(agent, {"prompt": "x", "type": "direct"})
    assert len(server.recording.spans()) == 4
    return server.recording


async def alone(standin: StandIn, clock: SteppingClock) -> Recording:
    """A model call that belongs to no message."""
    server = standin.serve(clock)
    standin.provider.answers = [whole(lambda: clock.move(SILENCE), piece(content="x"))]
    service = standin.module("ai_whisperer.services.ai.openrouter").OpenRouterAIService
    config = standin.module("ai_whisperer.services.execution.ai_config").AIConfig(api_key="key", model_id="some/model")
    async for _ in service(config)._stream_internal({"model": "some/model"}):
        pass
    assert len(server.recording.spans()) == 1
    return server.recording


async def mail(standin: StandIn, clock: SteppingClock) -> Recording:
    """Mail that a background agent finds between its tasks: an event in the trace of its session."""
    server = standin.serve(clock)
    socket = await standin.connect(server)
    started: str = next(iter(server.state.ledger._open))
    boxes = standin.module("ai_whisperer.extensions.mailbox.mailbox")
    boxes.get_mailbox().send_mail(boxes.Mail("Alice", "Debbie", "s", "b"))
    manager = await standin.module("interactive_server.main").async_agent_endpoints._get_or_create_manager(started)
    clock.move(SILENCE)
    await manager._check_mail_async(await manager.create_agent_session("d", auto_start=False))
    await socket.leave()
    (read,) = server.recording.events(names.EVENT_MAIL_READ)
    assert read.trace_id == server.recording.span(names.SPAN_SESSION).context.trace_id
    return server.recording


class Other:
    """Both sides of the Model Context Protocol, as far as the hooks look at them."""

    def __init__(self, clock: SteppingClock) -> None:
        self.tools = {"search": object()}
        self._clock = clock
        self._tool_manager = self._mcp_server = self
        self.get_tool = self.tools.get
        self.request_context = self
        self.request_id = 7
        self.meta = None

    async def call_tool(self, name: str) -> dict[str, Any]:
        """Call one."""
        self._clock.move(SILENCE)
        return {"content": []}


async def mcp(standin: StandIn, clock: SteppingClock) -> Recording:
    """Another server's tool called for no message, a tool of this server called by a client, and one for a message."""
    server = standin.serve(clock)
    other = Other(clock)
    called = wrapt.FunctionWrapper(other.call_tool, called_hook(standin))
    served = wrapt.FunctionWrapper(other.call_tool, served_hook(standin))
    await called("search")
    await served("search")
    exchange = opened(server.recording)
    CURRENT.set(exchange)
    attach(exchange.context)
    await called("search")
    exchange.end(clock.now())
    assert len(server.recording.spans()) == 4
    return server.recording


SCENES = (message, background, alone, mail, mcp)


async def played(scene: Scene, standin: StandIn, clock: SteppingClock) -> Recording:
    """What was recorded of a scene, in a context of its own."""
    return await Context().run(asyncio.ensure_future, scene(standin, clock))


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
@pytest.mark.fault(
    "process",
    theirs="The wall clock is put forward or back",
    promise="Nothing moves within a trace",
)
async def test_a_step_of_the_wall_clock_moves_nothing_within_a_trace(standin: StandIn, scene: Scene) -> None:
    """Forwards or backwards, a minute or a day, before each reading of a clock."""
    steady = SteppingClock()
    expected = positions(await played(scene, standin, steady))
    assert steady.readings < TOLERANCE * 1000
    for at in range(1, steady.readings + 2):
        for step in STEPS:
            recording = await played(scene, standin, SteppingClock(at, step))
            check_traces(recording)
            found = positions(recording)
            assert found.keys() == expected.keys()
            for key, position in found.items():
                assert position == pytest.approx(expected[key], abs=TOLERANCE), (key, at, step)


def test_no_hook_reads_the_wall_clock_by_itself() -> None:
    """There is one place where a hook gets it, by whom it works for."""
    files = Path(rooms.__file__).parent.rglob("*.py")
    readers = [file.name for file in files if any(read in file.read_text() for read in (".wall(", "telemetry.offset("))]
    assert readers == ["hooks.py"]


def positions(recording: Recording) -> dict[tuple[str, str, int], tuple[float, float]]:
    """Where each span is within its trace, seconds: its beginning after that of the trace's root, and its duration.

    A key is the root's name, the span's, and which of that name it is.
    """
    found: dict[tuple[str, str, int], tuple[float, float]] = {}
    for root, spans in traces(recording):
        for span in sorted(spans, key=lambda span: span.start_time or 0):
            number = sum(key[:2] == (root.name, span.name) for key in found)
            found[root.name, span.name, number] = (begin(span) - begin(root)) / SECOND, duration(span)
    return found


def check_traces(recording: Recording) -> None:
    """Each span has a duration, lies within its parent, and has its bar; each event lies within its trace's root."""
    for root, spans in traces(recording):
        known = {span.context.span_id: span for span in spans}
        for span in spans:
            assert begin(span) < end(span), span.name
            parent = known.get(span.parent.span_id) if span.parent is not None else None
            # A session's trace begins with a short root, whose child is the whole session.
            if parent is not None and span.name != names.SPAN_SESSION:
                assert begin(parent) <= begin(span), span.name
                assert end(span) <= end(parent), span.name
        for event in recording.events():
            if event.trace_id == root.context.trace_id:
                last = max(map(end, spans))
                assert begin(root) <= event.timestamp <= last, event.event_name
        assert units.duration((max(map(end, spans)) - begin(root)) / SECOND) in drawn(spans)


def traces(recording: Recording) -> Iterator[tuple[ReadableSpan, list[ReadableSpan]]]:
    """The root and all spans of each trace."""
    spans = recording.spans()
    for root in spans:
        if root.parent is None:
            yield root, [span for span in spans if span.context.trace_id == root.context.trace_id]


def drawn(spans: list[ReadableSpan]) -> str:
    """The waterfall of a trace."""
    console = console_of(160)
    console.print(waterfall.waterfall([as_read(span) for span in spans], theme.look(console, timezone.utc, ())))
    return written_on(console)


def as_read(span: ReadableSpan) -> Span:
    """A span as the view reads it."""
    return Span(
        trace_id=f"{span.context.trace_id:032x}",
        span_id=f"{span.context.span_id:016x}",
        parent_id=f"{span.parent.span_id:016x}" if span.parent is not None else "",
        name=span.name,
        server=False,
        start=begin(span),
        end=end(span),
        attributes={},
        error=False,
        links=(),
        scope=names.SCOPE,
    )


def begin(span: ReadableSpan) -> int:
    """When it began, nanoseconds since the epoch."""
    return span.start_time or 0


def end(span: ReadableSpan) -> int:
    """When it ended, nanoseconds since the epoch."""
    return span.end_time or 0
