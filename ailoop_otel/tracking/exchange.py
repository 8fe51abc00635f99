"""The life of one exchange, a message and its answer: where its time went, and which one the running code works for."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Final

from opentelemetry.trace import Span, SpanContext

from ailoop_otel import names
from ailoop_otel.protocol.answer import AI_TIMEOUT, CANCELLED, DISCONNECTED, OK, Answer
from ailoop_otel.recording.spans import context_of
from ailoop_otel.recording.telemetry import SECOND, SHORTEST, Attributes, Telemetry
from ailoop_otel.tracking.sessions import Session
from ailoop_otel.tracking.usage import OF_ALL, AgentWork, Usage
from ailoop_otel.tracking.watchdog import FIRST_CHUNK, NEVER, STALL, TOTAL, Deadlines, Timeout

# How an exchange was found for a frame.
BY_CONTEXT = "context"
BY_ORDER = "order"
BY_CONNECTION = "connection"
# Ends that no frame reports to the client.
_UNREPORTED = frozenset({DISCONNECTED, CANCELLED})


class TimeBreakdown:
    """Where the time of one exchange went, as the hooks inside the server see it: sums of nanoseconds.

    `lag_before` is how late the event loop had been in all when the exchange began. `garbage` begins below zero, with
    what garbage collections had taken until then.
    """

    __slots__ = ("blocked", "blocked_by", "garbage", "lag_before", "model_stream", "model_wait", "tools")

    def __init__(self) -> None:
        self.model_wait = 0
        self.model_stream = 0
        self.tools = 0
        self.lag_before = 0
        self.garbage = 0
        self.blocked = 0
        self.blocked_by: str | None = None

    def attributes(self, duration: int, lag: int) -> Attributes:
        """The attributes of the exchange, all in seconds.

        `duration` is the exchange's, `lag` how late the event loop has been up to now, both in nanoseconds.
        """
        own = max(0, duration - self.model_wait - self.model_stream - self.tools)
        attributes: Attributes = {
            names.TIME_MODEL_WAIT: self.model_wait / SECOND,
            names.TIME_MODEL_STREAM: self.model_stream / SECOND,
            names.TIME_TOOLS: self.tools / SECOND,
            names.TIME_SERVER: own / SECOND,
            names.TIME_LOOP_LAG: max(0, lag - self.lag_before) / SECOND,
        }
        if self.garbage > 0:
            attributes[names.TIME_GARBAGE] = self.garbage / SECOND
        if self.blocked_by is not None:
            attributes[names.BLOCKED_BY] = self.blocked_by
            attributes[names.BLOCKED_TIME] = self.blocked / SECOND
        return attributes


class Exchange(Answer[int]):
    """One message, its answer as `Answer` reads it, and what is recorded of both.

    Times are monotonic nanoseconds; `offset` takes those of its whole trace to the epoch. `turn` is when the server
    began with it, 0 while it waits in a queue. `wire.state.Wire` ends it.
    """

    __slots__ = (
        "__weakref__", "_paused", "_tools_running", "agent", "alarm", "armed", "breakdown", "context", "correlation",
        "ended", "error_type", "finish", "grace", "home", "message_size", "model", "named", "offset", "quiet",
        "rearm", "received", "session_id", "span", "telemetry", "timeouts", "turn", "usage", "waiting_for", "work",
    )  # fmt: skip

    def __init__(self, telemetry: Telemetry, span: Span, received: int, offset: int, message_size: int) -> None:
        super().__init__(received)
        self.telemetry = telemetry
        self.span = span
        self.context = context_of(span)
        self.received = received
        self.offset = offset
        self.message_size = message_size
        self.session_id: str | None = None
        self.named: str | None = None  # the session that its message names; which one answers, frames show
        self.correlation = BY_CONTEXT
        self.turn = 0
        self.error_type: str | None = None  # of the first failure inside the server
        self.timeouts: tuple[Timeout, ...] = ()
        self.alarm = -1  # the number of the watchdog's entry for it that counts
        self.armed = NEVER  # and when it comes up
        self.waiting_for = "unknown"
        self.grace = 0  # for how long tools ran
        self.quiet = 0  # when the latest tool was done: from there on a stall counts
        self._tools_running = 0
        self._paused = 0  # since when a tool runs, and the clocks of silence stand still
        self.breakdown: TimeBreakdown | None = None  # made by the hooks inside the server
        self.usage: Usage | None = None  # of its model calls, once one has been recorded
        self.work: AgentWork | None = None  # of the agent that works on it now
        self.agent: str | None = None
        self.model: str | None = None
        self.finish: Callable[[Exchange, int], None] = _alone  # how the wire ends it
        self.rearm: Callable[[Exchange], None] = _unwatched  # how its deadlines are looked at again
        self.ended = False
        self.home: list[Exchange] | None = None  # the open exchanges of its connection
        telemetry.open_exchanges += 1

    def take_turn(self, now: int) -> None:
        """The server begins with this message: from here on silence counts."""
        self.turn = now

    def record_first_chunk(self) -> None:
        """Record the time to the first chunk as a span; called after that frame was sent.

        Where an earlier frame may have been the first chunk, it waits for the end: then more is known.
        """
        if self.knows_first:
            self.telemetry.defer(self._record_first_chunk)

    def _record_first_chunk(self) -> None:
        start, end = self.received + self.offset, self.first + self.offset
        self.telemetry.span(names.SPAN_FIRST_CHUNK, start, end, self._common(), self.context)

    @property
    def tools_running(self) -> int:
        """How many tools work for it now: meanwhile the clocks for first chunk and stall stand still."""
        return self._tools_running

    @tools_running.setter
    def tools_running(self, count: int) -> None:
        now = self.telemetry.clock.now()
        if count and not self._tools_running:
            self._paused = now
        elif not count and self._tools_running:
            # They go on from where they stood.
            self.grace += now - self._paused
            self.quiet = now
        self._tools_running = count
        if not count:
            # What was waited for meanwhile lies further ahead.
            self.rearm(self)

    def unsent(self, now: int, size: int, error: str) -> None:
        """The frame of `size` characters that was counted at `now`, if it was, did not go out; `error` says why."""
        self.error_type = self.error_type or error
        if not self.chunks or self.last != now:
            return
        self.chunks -= 1
        self.stream_size -= size
        if self.longest_at == now:
            self.max_gap = self.max_gap_before
        self.last = self.before
        self.calm = self.last + self.max_gap
        if not self.chunks:
            self.first = self.frame_size = self._rest = 0
            self._cumulative = None
            self.whole = False

    # --- Silence -------------------------------------------------------------------------------------------
    def due(self, deadlines: Deadlines) -> tuple[int, str] | None:
        """The next moment at which the silence is too long, and its phase; None where nothing is waited for."""
        if self.ended or self.command or self.left or not self.turn:
            return None
        nearest = None
        if deadlines.total and not (self.timeouts and self._was_noticed(TOTAL)):
            nearest = (self.turn + deadlines.total, TOTAL)
        if self._tools_running or self.unread:
            # Where frames cannot be read, a chunk may have come: only the whole is known to last too long.
            return nearest
        if self.chunks:
            since, allowed, phase = max(self.last, self.quiet), deadlines.stall, STALL
        else:
            since, allowed, phase = self.turn + self.grace, deadlines.first_chunk, FIRST_CHUNK
        if not allowed or (self.timeouts and self._was_noticed(phase)):
            return nearest
        silence = (since + allowed, phase)
        return silence if nearest is None or silence < nearest else nearest

    def _was_noticed(self, phase: str) -> bool:
        return any(timeout.phase == phase for timeout in self.timeouts)

    def notice(self, phase: str, allowed: int, due: int, now: int) -> Timeout:
        """Note that a deadline has passed; nothing is recorded yet."""
        since = self.last if self.chunks else self.turn or self.received
        timeout = Timeout(phase, allowed, since, due, now)
        self.timeouts += (timeout,)
        self.timed_out = True
        return timeout

    def record_timeout(self, timeout: Timeout) -> None:
        """Record a noticed timeout while the exchange goes on: span, log event, counter and delay."""
        telemetry = self.telemetry
        delay = max(0, timeout.noticed - timeout.due) / SECOND
        attributes = self._common() | {
            names.TIMEOUT_PHASE: timeout.phase,
            names.TIMEOUT_DEADLINE: timeout.allowed / SECOND,
            names.TIMEOUT_DETECTION_DELAY: delay,
            names.TIMEOUT_WAITING_FOR: self.waiting_for,
            names.ERROR_TYPE: AI_TIMEOUT,
        }
        labels = {names.DIALECT: self.traits.name, names.TIMEOUT_PHASE: timeout.phase}
        telemetry.detection_delay.record(delay, labels, self.context)
        if timeout is self.timeouts[0]:
            self._count_error(AI_TIMEOUT, AI_TIMEOUT)
        start, end = timeout.since + self.offset, timeout.noticed + self.offset
        span = telemetry.span(names.SPAN_AI_TIMEOUT, start, end, attributes, self.context, error=True)
        telemetry.event(names.EVENT_AI_TIMEOUT, end, attributes, context_of(span), warning=True)

    def forget(self, now: int) -> None:
        """End it as a plain call: what this server's frames mean is not known."""
        if not self.ended:
            self._close()
            self.telemetry.end_span(self.span, max(now, self.received + SHORTEST) + self.offset)

    # --- The end -------------------------------------------------------------------------------------------
    def _close(self) -> None:
        # No frame is a chunk of it from now on.
        self.ended = True
        self.tail = None
        self.telemetry.open_exchanges -= 1

    def end(self, now: int, session: Session | None = None) -> str | None:
        """End it and have everything recorded; returns the outcome, or None when it had ended before.

        What it used is added to what its `session` used.
        """
        if self.ended:
            return None
        self._close()
        outcome = self.outcome
        if self.knows_first and self.unread_first:
            self.telemetry.defer(self._record_first_chunk)
        if self.breakdown is not None:
            self.breakdown.garbage += self.telemetry.collecting
        self.telemetry.defer(self._record, outcome, now, self.telemetry.lag, session)
        return outcome

    def _record(self, outcome: str, now: int, lag: int, session: Session | None) -> None:
        telemetry = self.telemetry
        if self.usage is not None and session is not None:
            session.used(self.usage)
        error = None if outcome == OK else self.error_type or self.raised or outcome
        # Measured first: spans go through other people's processors, which may raise.
        self._measure(outcome, (now - self.received) / SECOND)
        if error is not None and not (outcome == AI_TIMEOUT and self.timeouts):
            self._count_error(outcome, error)
        if self.timeouts and not self.recovered and outcome not in _UNREPORTED:
            for timeout in self.timeouts:
                labels = {names.DIALECT: self.traits.name, names.TIMEOUT_PHASE: timeout.phase}
                telemetry.report_delay.record(max(0, now - timeout.noticed) / SECOND, labels, self.context)
        if self.chunks > 1 and self.knows_stream:
            self._record_stream()
        self._finish_span(outcome, error, now, lag)

    def _measure(self, outcome: str, seconds: float) -> None:
        telemetry = self.telemetry
        if self.command and outcome == OK:
            telemetry.command_duration.record(seconds, {names.DIALECT: self.traits.name}, self.context)
            return
        labels = self._labels() | {names.OUTCOME: outcome}
        telemetry.exchange_duration.record(seconds, labels, self.context)
        if self.knows_first:
            # With the outcome, as a report's percentiles leave failures out.
            telemetry.first_chunk.record((self.first - self.received) / SECOND, labels, self.context)

    def _finish_span(self, outcome: str, error: str | None, now: int, lag: int) -> None:
        attributes: Attributes = {
            names.OUTCOME: outcome,
            names.DIALECT: self.traits.name,
            names.CORRELATION: self.correlation,
            names.MESSAGE_SIZE: self.message_size,
            names.ANSWER_SIZE: self.answer_size or self.streamed_size,
        }
        if self.knows_stream:
            attributes[names.STREAM_CHUNKS] = self.chunks
            attributes[names.STREAM_SIZE] = self.stream_size
        if self.unread:
            attributes[names.UNREAD_FRAMES] = self.unread
        if self.knows_first:
            attributes[names.TIME_TO_FIRST_CHUNK] = (self.first - self.received) / SECOND
        if self.left:
            attributes[names.ABANDONED_TIME] = (now - self.left) / SECOND
        if self.timeouts:
            attributes[names.TIMEOUT_RECOVERED] = self.recovered
        if self.breakdown is not None:
            attributes |= self.breakdown.attributes(now - self.received, lag)
        if self.usage is not None:
            attributes |= self.usage.attributes(OF_ALL)
        if self.code:
            attributes[names.RPC_STATUS] = str(self.code)
        if error is not None:
            attributes[names.ERROR_TYPE] = error
        end = max(now, self._earliest_end()) + self.offset
        self.telemetry.end_span(self.span, end, attributes, error=error is not None)

    def _earliest_end(self) -> int:
        # Its children are in it: those that had to be lengthened, and a timeout that was noticed while it ended.
        begun = [self.received] if self.chunks < 2 else [self.received, self.first]
        begun += [timeout.since for timeout in self.timeouts]
        return max(max(begun) + SHORTEST, *(timeout.noticed for timeout in self.timeouts), 0)

    def _record_stream(self) -> None:
        attributes = self._common() | {
            names.STREAM_CHUNKS: self.chunks,
            names.STREAM_SIZE: self.stream_size,
            names.STREAM_MAX_GAP: self.max_gap / SECOND,
        }
        self.telemetry.span(
            names.SPAN_STREAM, self.first + self.offset, self.last + self.offset, attributes, self.context
        )

    def _count_error(self, outcome: str, error: str) -> None:
        labels = {names.DIALECT: self.traits.name, names.OUTCOME: outcome, names.ERROR_TYPE: error}
        self.telemetry.errors.add(1, labels, self.context)

    def _labels(self) -> Attributes:
        labels: Attributes = {names.DIALECT: self.traits.name}
        if self.agent is not None:
            labels[names.GEN_AI_AGENT_NAME] = self.agent
        if self.model is not None:
            labels[names.GEN_AI_REQUEST_MODEL] = self.model
        return labels

    def _common(self) -> Attributes:
        return {names.SESSION_ID: self.session_id} if self.session_id else {}


# Set when `receive()` has returned a message, so that whatever its handler does is known to be for it.
# A task made by startSession keeps startSession's context for ever: there it holds nothing, or what has ended.
CURRENT: Final[ContextVar[Exchange | None]] = ContextVar("ailoop_otel_exchange", default=None)

# The span of the call that is handled, whichever it is: never a parent, since what its handler starts may stay.
CALLER: Final[ContextVar[SpanContext | None]] = ContextVar("ailoop_otel_caller", default=None)


def current_exchange() -> Exchange | None:
    """The open exchange in whose context the running code is."""
    exchange = CURRENT.get()
    return None if exchange is None or exchange.ended else exchange


def _unwatched(exchange: Exchange) -> None:
    return None


def _alone(exchange: Exchange, now: int) -> None:
    exchange.end(now)
