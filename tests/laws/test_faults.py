"""The server never notices: with the package's own code raising wherever it can, nothing about it changes."""

from __future__ import annotations

import gc
import weakref
from functools import cache
from typing import Any

import pytest

from ailoop_otel.guard import Guard
from ailoop_otel.recording.spans import Spans
from tests.laws.conversations import PLAYS, START, said
from tests.laws.faults import Hook, hooks
from tests.laws.invariants import Started, check_exchanges, check_sessions, check_spans
from tests.laws.servers import stateless
from tests.laws.stage import Bare, Host, Seen, Socket

# Hooks that no conversation calls, and what holds for them instead.
ELSEWHERE = {
    "protocol.foreign._number": "called by the hooks inside the server, each in the barrier",
    "protocol.foreign.amount": "called by the hooks inside the server, each in the barrier",
    "protocol.foreign.count": "called by the hooks inside the server, each in the barrier",
    "protocol.foreign.display_name": "called by the hooks inside the server, each in the barrier",
    "protocol.foreign.http_error": "called by the hooks inside the server, each in the barrier",
    "protocol.foreign.number": "called by the hooks inside the server, each in the barrier",
    "protocol.foreign.text": "called by the hooks inside the server, each in the barrier",
    "recording.telemetry.Telemetry.collected": "where garbage is collected: what its callbacks raise reaches nobody",
    "tracking.exchange.Exchange.tools_running": "called by the hooks inside the server, each in the barrier",
    "tracking.exchange.TimeBreakdown.__init__": "called by the hooks inside the server, each in the barrier",
    "tracking.exchange.TimeBreakdown.attributes": "where the hooks inside the server have seen something",
    "tracking.exchange._unwatched": "called by the hooks inside the server, each in the barrier",
    "tracking.exchange._alone": "called by the hooks inside the server, each in the barrier",
    "recording.fast.spans._of_sdk_span": "for exporters of somebody else",
    "recording.fast.spans._Lock.__init__": "when the module is imported",
    "recording.fast.spans._Lock.renew": "in a forked child",
    "recording.fast.spans._of_full": "for exporters, on a thread of the SDK's",
    "recording.fast.spans._asking": "when the module is imported",
    "recording.fast.spans._asking.ask": "made when the module is imported; each of its functions is here by name",
    "recording.fast.spans.LightSpan.record_exception": "for the server's own code, and other instrumentation",
    "recording.fast.spans.LightSpan.set_attributes": "for the server's own code, and other instrumentation",
    "recording.fast.spans.LightSpan.update_name": "for the server's own code, and other instrumentation",
    "recording.fast.spans.LightSpan.__exit__": "for the server's own code, and other instrumentation",
    "recording.fast.spans.LightSpan.add_event": "for the server's own code, and other instrumentation",
    "recording.fast.spans.LightSpan.set_status": "for the server's own code, and other instrumentation",
    "recording.fast.spans.LightSpan.start": "for the server's own code, and other instrumentation",
    "recording.fast.spans.LightSpan.is_recording": "for the server's own code, and other instrumentation",
    "tracking.sessions.Ledger.__len__": "for whoever looks at it",
    "tracking.sessions.Session.used": "called where the hooks inside the server have recorded a model call",
    "tracking.sessions.Ledger.link": "called by the hooks inside the server, each in the barrier",
    "recording.spans.OwnTracerProvider.add_span_processor": "for whoever sets the process up",
    "recording.spans.OwnTracerProvider.force_flush": "called when the process ends, in the barrier",
    "recording.spans.OwnTracerProvider.shutdown": "called when the process ends, in the barrier",
    "recording.spans.Spans.end": "where the provider is somebody else's: see the SDK's methods that fail",
    "recording.spans.Spans.start": "where the provider is somebody else's: see the SDK's methods that fail",
    "recording.spans.registered_sampler": "called when the process is set up, in the barrier",
    "recording.telemetry.Telemetry.add": "called by the hooks inside the server, each in the barrier",
    "recording.telemetry.Telemetry.record_all": "called by the hooks inside the server, each in the barrier",
    "recording.telemetry.Telemetry.total": "called when metrics are collected, in the barrier",
    "recording.telemetry.failure": "called by the hooks inside the server, each in the barrier",
    "recording.telemetry.Telemetry.late": "called by the event loop's heartbeat, in the barrier",
    "recording.telemetry.Telemetry.settle": "called when the process ends, in the barrier",
    "recording.telemetry.Telemetry.observe": "called when the process is set up, in the barrier",
    "tracking.usage.AgentWork.__init__": "called by the hooks inside the server, each in the barrier",
    "tracking.usage.AgentWork._record": "called by the hooks inside the server, each in the barrier",
    "tracking.usage.AgentWork.end": "called by the hooks inside the server, each in the barrier",
    "tracking.usage.Usage.__init__": "called by the hooks inside the server, each in the barrier",
    "tracking.usage.Usage.add": "called by the hooks inside the server, each in the barrier",
    "tracking.usage.Usage.attributes": "called by the hooks inside the server, each in the barrier",
    "tracking.watchdog.Watchdog._run": "the thread itself",
    "tracking.watchdog.Watchdog._is_due_soon": "in the thread that records, in the barrier",
    "tracking.watchdog.Watchdog._tidy": "in the thread, in the barrier",
    "tracking.watchdog.Watchdog.start": "called when the process is set up, in the barrier",
    "tracking.watchdog.Watchdog.stop": "called when the process ends, in the barrier",
    "tracking.watchdog._counts": "in the thread, in the barrier",
    "wire.state.Queues.__len__": "for whoever looks at it",
    "protocol.registry.Registry.__init__": "for plugins: see tests/protocol/test_registry.py",
    "protocol.registry.Registry._add_problem": "for plugins: see tests/protocol/test_registry.py",
    "protocol.registry.Registry._index": "for plugins: see tests/protocol/test_registry.py",
    "protocol.registry.Registry._reads": "for plugins: see tests/protocol/test_registry.py",
    "protocol.registry.Registry.named": "for plugins: see tests/protocol/test_registry.py",
    "protocol.registry.Registry.problems": "for plugins: see tests/protocol/test_registry.py",
    "protocol.registry.Registry.report_to": "for plugins: see tests/protocol/test_registry.py",
    "protocol.registry._as_it_is": "for plugins: see tests/protocol/test_registry.py",
    "protocol.registry._grouped": "for plugins: see tests/protocol/test_registry.py",
    "protocol.registry._raised": "for plugins: see tests/protocol/test_registry.py",
    "protocol.dialect.ChunkForm.session": "for plugins: see tests/protocol/test_registry.py",
    "protocol.dialect.ChunkForm.tail": "for plugins: see tests/protocol/test_registry.py",
    "protocol.dialect.ChunkForm.text_size": "for plugins: see tests/protocol/test_registry.py",
    "protocol.dialect.Dialect.reply": "for plugins: see tests/protocol/test_registry.py",
    "protocol.dialect.Dialect.message_params": "for the measuring client",
    "protocol.dialect.Dialect.start_params": "for the measuring client",
    "protocol.dialect.Dialect.stop_params": "for the measuring client",
    "protocol.traits.Traits.__init__": "what it makes is kept for the whole process",
    "protocol.answer._after_all_with": "what it makes is kept for the whole process",
    "protocol.answer._last": "what it makes is kept for the whole process",
    "protocol.traits._made": "what it makes is kept for the whole process",
    "wire.middleware.Observer.__init__": "keeps its arguments, before there is a server",
    "wire.socket.Socket.send": "is what the server calls: what it does of ours is in the barrier",
    "wire.middleware.in_thread.run": "in a thread of its own",
}
HOOKS = [hook for hook in hooks() if hook.name not in ELSEWHERE]


@cache
def bare(generation: str) -> list[Seen]:
    """What the server sees without the package."""
    return PLAYS[generation](Bare())


def differences(generation: str, host: Host) -> list[str]:
    """Where what the server sees with the package is not the same."""
    pairs = zip(PLAYS[generation](host), bare(generation), strict=True)
    return [difference for observed, expected in pairs if (difference := observed.differs(expected))]


def test_every_hook_is_called_or_said_to_be_called_elsewhere() -> None:
    """So that none is forgotten."""
    assert len(HOOKS) > 100
    assert {hook.name for hook in hooks()} >= set(ELSEWHERE)


@pytest.mark.parametrize("generation", PLAYS)
def test_the_server_sees_the_same_with_the_package(generation: str) -> None:
    """Where nothing fails, and nothing of ours does."""
    guard = Guard(strict=True)
    assert differences(generation, Host(guard)) == []
    assert guard.errors == 0


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook.name)
@pytest.mark.fault(
    "foreign",
    ours="Each of our functions raises, whenever it is called",
    promise="The server sees the same objects, order and exceptions",
)
def test_the_server_sees_the_same_where_a_hook_raises(hook: Hook) -> None:
    """Each function in its turn, whenever it is called: same objects, same order, same exceptions."""
    with hook.broken() as striker:
        seen = [difference for generation in PLAYS for difference in differences(generation, Host())]
    assert seen == []
    assert striker.hits


class Sabotaged(Host):
    """A process in which something that the package is given fails, at each call after the first `after`."""

    def __init__(self, target: str, method: str, after: int) -> None:
        super().__init__(light=False)
        self._target, self._method, self._left = target, method, after
        self.faults = 0

    def wire(self) -> Any:
        """As a host gives it, with what fails in its place."""
        new = self.state is None
        state = super().wire()
        if new and self.recording is not None:
            telemetry = self.recording.telemetry
            tracer: Any = self.recording.tracers.get_tracer("failing")
            if self._target in ("span", "tracer"):
                spans = Spans(_Tracer(tracer, self) if self._target == "span" else self.wrapped(tracer))  # type: ignore[arg-type]
                telemetry.start_span, telemetry.end_span = spans.start, spans.end
            else:
                target = getattr(telemetry, self._target)
                setattr(telemetry, self._target, self.wrapped(target))
        return state

    def wrapped(self, target: Any) -> Any:
        """A stand-in for an object, whose method fails."""
        return _Failing(target, self._method, self)

    def strike(self) -> bool:
        """Whether it fails now."""
        self._left -= 1
        self.faults += self._left < 0
        return self._left < 0


class _Failing:
    def __init__(self, target: Any, method: str, host: Sabotaged) -> None:
        self._target, self._method, self._host = target, method, host

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._target, name)
        if name != self._method:
            return value

        def failing(*arguments: Any, **named: Any) -> Any:
            if self._host.strike():
                raise RuntimeError(name)
            return value(*arguments, **named)

        return failing


class _Tracer:
    def __init__(self, tracer: Any, host: Sabotaged) -> None:
        self._tracer, self._host = tracer, host

    def start_span(self, *arguments: Any, **named: Any) -> Any:
        """A span that fails."""
        return self._host.wrapped(self._tracer.start_span(*arguments, **named))


INSTRUMENTS = {
    "errors": "add", "session_active": "add", "session_retained": "add",
    "connection_active": "add", "first_chunk": "record", "exchange_duration": "record", "command_duration": "record",
    "detection_delay": "record", "report_delay": "record", "session_duration": "record", "session_turns": "record",
    "connection_duration": "record", "rpc_duration": "record",
}  # fmt: skip
GIVEN = [
    ("clock", "now"), ("clock", "wall"), ("tracer", "start_span"), ("events", "emit"), *INSTRUMENTS.items(),
    *(("span", method) for method in ("set_attributes", "set_attribute", "set_status", "add_link", "end")),
    ("span", "get_span_context"),
]  # fmt: skip


@pytest.mark.parametrize("after", [0, 7])
@pytest.mark.parametrize(("target", "method"), GIVEN)
@pytest.mark.fault(
    "foreign",
    theirs="The clock, tracer, spans, instruments or logger raise",
    promise="The server sees the same objects, order and exceptions",
)
def test_the_server_sees_the_same_where_what_we_are_given_raises(target: str, method: str, after: int) -> None:
    """The clock, the tracer, its spans, the instruments, the logger: from the first call on or later."""
    faults = 0
    for generation in PLAYS:
        host = Sabotaged(target, method, after)
        assert differences(generation, host) == []
        faults += host.faults
    assert faults or after


@pytest.mark.parametrize(("target", "method"), GIVEN[2:])
@pytest.mark.fault(
    "foreign",
    theirs="The SDK stays broken",
    promise="Nothing piles up: what a connection brought goes with it",
)
def test_a_broken_sdk_makes_nothing_pile_up(target: str, method: str) -> None:
    """However long it stays broken: what a connection brought goes with it."""
    for generation, play in PLAYS.items():
        host = Sabotaged(target, method, 10)
        play(host)
        state = host.state
        assert state is not None, generation
        assert (state.exchanges, len(state.queues), len(state.ledger)) == (set(), 0, 0), generation
        gc.collect()
        assert not any(connection.calls or connection.exchanges for connection in state.connections)


def test_a_fault_is_told_once_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    """One line for each place, however many messages there are."""
    host = Sabotaged("tracer", "start_span", 0)
    Socket(host, [START, *[said("plain")] * 20], stateless).serve()
    lines = [record.getMessage() for record in caplog.records]
    assert host.guard.errors > 20
    assert 0 < len(lines) == len(set(lines)) < 10
    assert all(line.startswith("ailoop-otel: a fault of its own was swallowed") for line in lines)


def test_an_exception_that_passes_is_not_held() -> None:
    """It and the application's frames are freed when whoever caught it drops it, without a collection."""

    class Held(Exception):
        pass

    async def failing(_: Socket, __: Any) -> None:
        raise Held

    gc.disable()
    try:
        host = Host(Guard(strict=True))
        seen = Socket(host, [START], failing).serve()
        held = weakref.ref(seen.raised) if seen.raised is not None else None
        assert held is not None
        seen.raised = None
        seen.caught.clear()
        assert held() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("method", ["start_span", "nothing"])
def test_an_exception_passes_with_its_own_story(method: str) -> None:
    """Its cause, its context and its text are the server's, also where a fault of ours came between."""
    fault, cause, context = RuntimeError("own"), KeyError("cause"), ValueError("context")
    fault.__cause__, fault.__context__, fault.__suppress_context__ = cause, context, False

    async def failing(_: Socket, __: Any) -> None:
        raise fault

    for steps in ([START], [fault]):
        seen = Socket(Sabotaged("tracer", method, 0), steps, failing).serve()
        assert seen.raised is fault
        assert (fault.__cause__, fault.__context__, fault.__suppress_context__) == (cause, context, False)
        assert fault.args == ("own",)


@pytest.mark.parametrize("generation", PLAYS)
@pytest.mark.fault(
    "clients",
    theirs="A connection is closed, cut, cancelled, interrupted or fails",
    promise="All its spans end",
)
def test_however_a_connection_ends_its_spans_end(generation: str) -> None:
    """Closed, cut, cancelled, interrupted, failed in `receive`, in `send` or in the application."""
    host = Host(Guard(strict=True))
    state, started = host.wire(), Started()
    assert state is not None
    assert host.recording is not None
    host.recording.tracers.add_span_processor(started)
    PLAYS[generation](host)
    assert started.open == 0
    assert (state.exchanges, len(state.queues), len(state.ledger)) == (set(), 0, 0)
    check_spans(host.recording)
    check_exchanges(host.recording)
    check_sessions(host.recording)
