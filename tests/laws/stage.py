"""A server and its sockets, without the package or with it, and what the server saw and did."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from contextvars import Context
from dataclasses import dataclass, field
from typing import Any

from ailoop_otel.guard import Guard
from ailoop_otel.tracking.sessions import Ledger
from ailoop_otel.tracking.watchdog import Watchdog
from ailoop_otel.wire.middleware import MARK, App, Observer
from ailoop_otel.wire.state import Wire
from tests.recorder import ManualClock, Recording
from tests.scripted import SCOPE


class Bare:
    """A process without the package."""

    def __init__(self) -> None:
        self.clock = ManualClock()

    def around(self, application: App) -> App:
        """As the server's framework would have it."""
        return application

    def look(self) -> None:
        """Nobody watches."""

    def switch_off(self) -> None:
        """There is nothing to switch off."""

    def switch_on(self) -> None:
        """Nor on."""


class Host(Bare):
    """A process with it, set up when the first connection comes, as the real host does."""

    def __init__(self, guard: Guard | None = None, **settings: Any) -> None:
        super().__init__()
        self.guard = guard or Guard()
        self._settings = settings
        self.recording: Recording | None = None
        self.state: Wire | None = None
        self.watchdog: Watchdog | None = None

    def around(self, application: App) -> App:
        """With the middleware."""
        return Observer(application, self)

    def wire(self) -> Wire | None:
        """As a host gives it."""
        if self.state is None:
            recording = Recording(self.guard, **self._settings)
            recording.clock = recording.telemetry.clock = self.clock
            self.recording = recording
            self.watchdog = Watchdog(recording.telemetry)
            self.watchdog._is_new = False
            self.state = Wire(recording.telemetry, Ledger(recording.telemetry), self.watchdog)
        return self.state

    def look(self) -> None:
        """What the watchdog's thread and the reader of metrics do, now."""
        watchdog = self.watchdog
        if watchdog is not None:
            self.guard.run(watchdog.check)
            self.guard.run(watchdog.silent)
            self.guard.run(watchdog.hanging)

    def switch_off(self) -> None:
        """In mid-conversation."""
        with self.guard:
            if self.state is not None:
                self.state.switch_off(self.clock.now())

    def switch_on(self) -> None:
        """For the next connections."""
        if self.state is not None:
            self.state.active = True

    def http(self, application: App) -> App:
        """As a host gives it."""
        return application

    def started(self) -> None:
        """As a host has it."""

    async def stopping(self) -> None:
        """Ends what is open."""
        if self.state is not None:
            self.state.shut_down(self.clock.now())

    async def left(self) -> None:
        """As a host has it."""


@dataclass
class Seen:
    """What a server saw of a socket, and that socket of the server.

    `received` and `caught` came out of `receive` and `send`, `raised` out of the application; `given` went into
    `send` and `sent` reached the network.
    """

    scope: dict[str, Any] = field(default_factory=dict)
    received: list[Any] = field(default_factory=list)
    caught: list[BaseException] = field(default_factory=list)
    given: list[Any] = field(default_factory=list)
    sent: list[Any] = field(default_factory=list)
    raised: BaseException | None = None

    def differs(self, other: Seen) -> str:
        """In what it differs from `other`; what comes from outside must be the same object, not only equal."""
        for name in ("received", "caught"):
            if [*map(id, getattr(self, name))] != [*map(id, getattr(other, name))]:
                return f"{name}: {getattr(self, name)} and not {getattr(other, name)}"
        if self.raised is not other.raised:
            return f"raised: {self.raised!r} and not {other.raised!r}"
        for name in ("scope", "given", "sent"):
            if getattr(self, name) != getattr(other, name):
                return f"{name}: {getattr(self, name)} and not {getattr(other, name)}"
        return "" if {*map(id, self.sent)} <= {*map(id, self.given)} else "another object was sent"


def elsewhere(work: Any) -> None:
    """Run what never waits, as another task would: with a context of its own."""
    try:
        Context().run(work.send, None)
    except StopIteration:
        return
    work.close()
    raise AssertionError("it waited")


Handler = Callable[["Socket", Any], Awaitable[None]]
Step = Any  # an ASGI message to deliver, an exception that `receive` raises, or what is called before the next


LEFT = {"type": "websocket.disconnect", "code": 1000}


class Socket:
    """One connection. Its client is a list of steps; `refuse` says what a send raises, by what is sent."""

    def __init__(self, host: Bare, steps: Iterable[Step], handler: Handler) -> None:
        self.host = host
        self.seen = Seen()
        self.refuse: Callable[[Any], BaseException | None] = lambda _: None
        self._steps = iter(list(steps))
        self._handler = handler
        self._send: Any = None

    def serve(self, **scope: Any) -> Seen:
        """Run it to its end, in a task of its own; what happened."""
        whole = {**SCOPE, **scope}
        try:
            elsewhere(self.host.around(self._application)(whole, self._next, self._arrive))
        except BaseException as error:  # noqa: BLE001 - it is looked at by the test
            self.seen.raised = error
        return self.seen

    # --- What the server does ------------------------------------------------------------------------------
    async def _application(self, scope: Any, receive: Any, send: Any) -> None:
        self.seen.scope = {key: value for key, value in scope.items() if key != MARK}
        self._send = send
        while True:
            with self._noting():
                message = await receive()
            self.seen.received.append(message)
            if message["type"] == "websocket.disconnect":
                return
            await self._handler(self, message)

    async def send(self, message: Any) -> None:
        """Send a frame; like AILoop, go on where it fails."""
        self.seen.given.append(message)
        with suppress(OSError), self._noting():
            await self._send(message)

    async def text(self, frame: str) -> None:
        """Send a text frame."""
        await self.send({"type": "websocket.send", "text": frame})

    @contextmanager
    def _noting(self) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            self.seen.caught.append(error)
            raise

    # --- What the network does -----------------------------------------------------------------------------
    async def _next(self) -> Any:
        for step in self._steps:
            if callable(step):
                step()
            elif isinstance(step, BaseException):
                # The same object each time, without what it went through the last time.
                raise step.with_traceback(None)
            else:
                return step
        return LEFT

    async def _arrive(self, message: Any) -> None:
        refusal = self.refuse(message)
        if refusal is not None:
            raise refusal.with_traceback(None)
        self.seen.sent.append(message)
