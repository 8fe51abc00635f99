"""The life of one exchange: a message and its answer, whatever the generation; it ends exactly once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from opentelemetry.trace import Span

from ailoop_otel import names
from ailoop_otel.protocol import DIALECTS, Answer, Dialect
from ailoop_otel.recording.spans import context_of
from ailoop_otel.recording.telemetry import SECOND, SHORTEST, Attributes, Telemetry
from ailoop_otel.tracking.deadlines import FIRST_CHUNK, NEVER, STALL, TOTAL, Deadlines, Timeout
from ailoop_otel.tracking.spent import Spent

UNKNOWN: Final = "unknown"
# No frame begins like this: `startswith` of none at all.
NO_FRAME: Final[tuple[str, ...]] = ()
_UNKNOWN_FORM: Final = DIALECTS[0]
AI_TIMEOUT: Final = "ai_timeout"
# No cumulative frame without text is longer.
_EMPTY_BELOW: Final = 400
# Ends of which no frame tells the client.
_UNTOLD: Final = frozenset({"disconnected", "cancelled"})


class Exchange:
    """One message and its answer. Times are monotonic nanoseconds; `turn` is 0 while it waits in a queue.

    The wire tells what happened by setting the plain fields and calling the methods; `end` decides the outcome.
    """

    __slots__ = (
        "__weakref__", "_paused", "_tools_running", "agent", "alarm", "answer_size", "answered", "armed", "base",
        "beyond", "calm", "chunks", "code", "command", "context", "correlation", "cut", "dialect", "ended",
        "error_type", "failed", "finish", "first", "form", "frame_size", "further", "grace", "head", "home", "last",
        "left", "max_gap", "message_size", "model", "offset", "plain", "quiet", "raised", "rearm", "received",
        "repeated", "rest", "session_id", "span", "spent", "stopped", "stream_size", "telemetry", "timeouts", "turn",
        "waiting_for", "whole",
    )  # fmt: skip

    def __init__(self, telemetry: Telemetry, span: Span, received: int, offset: int, message_size: int) -> None:
        self.telemetry = telemetry
        self.span = span
        self.context = context_of(span)
        self.received = received
        self.offset = offset
        self.message_size = message_size
        self.session_id: str | None = None
        self.dialect = UNKNOWN
        self.form: Dialect = _UNKNOWN_FORM
        self.head: str | tuple[str, ...] = NO_FRAME  # how a cumulative chunk begins, while the exchange is open
        # Where chunks with text sort, while `wire.socket.Socket.send` may count them by itself.
        self.further = self.beyond = ""
        self.correlation = "context"
        self.turn = 0
        self.first = 0
        self.last = received
        self.max_gap = 0
        self.calm = 0  # no gap that ends before is the widest: mostly nothing is to be reckoned
        self.chunks = 0
        self.stream_size = 0
        self.answer_size = 0
        # Length of the latest cumulative chunk: the same again is the repeat that ends a stream.
        self.frame_size = 0
        self.base = 0  # that length where the latest model call's text begins; 0 at the buffer's beginning
        self.rest = 0  # what of that length is not text
        self.repeated = False
        self.plain = False  # the chunks are of the kind that ends with a repeat
        self.answered = False  # replied to, or nobody waits for a reply
        self.whole = False
        self.cut = False
        self.failed = False
        self.command = False
        self.stopped = False
        self.left = 0  # when the client was seen to have left
        self.raised: str | None = None
        self.code: int | None = None
        self.error_type: str | None = None
        self.timeouts: tuple[Timeout, ...] = ()
        self.alarm = -1  # the number of the watchdog's entry for it that counts
        self.armed = NEVER  # and when it comes up
        self.waiting_for = UNKNOWN
        self.grace = 0  # for how long tools ran
        self.quiet = 0  # when the latest was done: from there on a stall counts
        self._tools_running = 0
        self._paused = 0  # since when a tool runs, and the clocks of silence stand still
        self.spent: Spent | None = None  # made by the hooks inside the server
        self.agent: str | None = None
        self.model: str | None = None
        self.finish: Callable[[Exchange, int], None] = _alone  # how the wire ends it
        self.rearm: Callable[[Exchange], None] = _unwatched  # how its deadlines are looked at again
        self.ended = False
        self.home: list[Exchange] | None = None  # the open exchanges of its connection
        telemetry.open_exchanges += 1

    def speaks(self, dialect: Dialect) -> None:
        """The dialect of the frames that answer it."""
        self.dialect = dialect.name
        self.form = dialect
        if dialect.cumulative and not self.ended:
            self.head = dialect.chunk_head
            self._hasten()

    def _hasten(self) -> None:
        # Not before the first chunk, nor where a repeat has to be taken back.
        if self.chunks and not self.repeated and not self.ended:
            self.further, self.beyond = self.form.text_from, self.form.text_below

    # --- What the wire saw ---------------------------------------------------------------------------------
    def chunk(self, now: int, size: int) -> None:
        """A frame with new text was handed to the socket; `size` is the frame's length in characters."""
        if self.chunks:
            gap = now - self.last
            if gap > self.max_gap:
                self.max_gap = gap
        else:
            self.first = now
        self.last = now
        self.chunks += 1
        self.stream_size += size

    def update(self, now: int, frame: str) -> bool:
        """A frame that begins with `head` was handed to the socket; returns whether it was the first with text.

        Such a frame holds all text so far. Most of them do not come here: see `wire.socket.Socket.send`.
        """
        size = len(frame)
        self.stream_size += size
        if size <= self.frame_size:
            if size == self.frame_size:
                self.repeated = True
                self.beyond = ""
                self.base = size
                return False
            # Shorter than the one before: another model call began with an empty buffer.
            self.plain = frame.endswith(self.form.plain_tail)
            self.base = 0
        self.frame_size = size
        if size < _EMPTY_BELOW and frame.startswith(self.form.chunk_empty):
            return False
        if self.repeated:
            self.repeated = False
            self._hasten()
        gap = now - self.last
        # In this order: the watchdog looks from another thread.
        self.last = now
        self.chunks += 1
        if self.chunks == 1:
            self.first = now
            self.plain = frame.endswith(self.form.plain_tail)
            return True
        if gap > self.max_gap:
            self.max_gap = gap
        return False

    def text(self, now: int, size: int) -> None:
        """A frame carried text in one piece: the first chunk where nothing was streamed; `size` as in `chunk`."""
        if not self.first:
            self.first = self.last = now
            self.chunks = 1
            self.stream_size += size

    def check_ending(self, answer: Answer) -> None:
        """Whether a stream of plain text was cut: the server sends its last chunk again when it ended well.

        Where the model's last words came with its finish reason, the server adds them a second time: then the chunk
        holds more than the answer.
        """
        if not self.plain or self.repeated or not answer.tells_ending:
            return
        streamed = self.frame_size - (self.base or self.rest)
        if streamed > answer.wire_size:
            self.chunks -= 1
        else:
            self.cut = True

    def take_turn(self, now: int) -> None:
        """The server begins with this message: from here on silence counts."""
        self.turn = now

    def tell_first_chunk(self) -> None:
        """Record the time to the first chunk, as span and metric; called once, after that frame was sent."""
        self.telemetry.defer(self._record_first_chunk, self._labels())

    def _record_first_chunk(self, labels: Attributes) -> None:
        telemetry = self.telemetry
        # Measured first, here and below: spans go through other people's processors, which may raise.
        telemetry.first_chunk.record((self.first - self.received) / SECOND, labels, self.context)
        start, end = self.received + self.offset, self.first + self.offset
        telemetry.span(names.SPAN_FIRST_CHUNK, start, end, self._common(), self.context)

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

    # --- Silence -------------------------------------------------------------------------------------------
    def due(self, deadlines: Deadlines) -> tuple[int, str] | None:
        """The next moment at which the silence is too long, and its phase; None where nothing is waited for."""
        if self.ended or self.command or self.left or not self.turn:
            return None
        nearest = None
        if deadlines.total and not (self.timeouts and self._told(TOTAL)):
            nearest = (self.turn + deadlines.total, TOTAL)
        if self._tools_running:
            return nearest
        if self.chunks:
            since, allowed, phase = max(self.last, self.quiet), deadlines.stall, STALL
        else:
            since, allowed, phase = self.turn + self.grace, deadlines.first_chunk, FIRST_CHUNK
        if not allowed or (self.timeouts and self._told(phase)):
            return nearest
        silence = (since + allowed, phase)
        return silence if nearest is None or silence < nearest else nearest

    def _told(self, phase: str) -> bool:
        return any(timeout.phase == phase for timeout in self.timeouts)

    def notice(self, phase: str, allowed: int, due: int, now: int) -> Timeout:
        """Note that a deadline has passed; nothing is recorded yet."""
        since = self.last if self.chunks else self.turn or self.received
        timeout = Timeout(phase, allowed, since, due, now)
        self.timeouts += (timeout,)
        return timeout

    def tell(self, timeout: Timeout) -> None:
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
        labels = {names.DIALECT: self.dialect, names.TIMEOUT_PHASE: timeout.phase}
        telemetry.detection_delay.record(delay, labels, self.context)
        if timeout is self.timeouts[0]:
            self._count_error(AI_TIMEOUT, AI_TIMEOUT)
        start, end = timeout.since + self.offset, timeout.noticed + self.offset
        span = telemetry.span(names.SPAN_AI_TIMEOUT, start, end, attributes, self.context, error=True)
        telemetry.event(names.EVENT_AI_TIMEOUT, end, attributes, context_of(span), warning=True)

    def forget(self, now: int) -> None:
        """End it as a plain call: nobody knows what this server's frames mean."""
        if not self.ended:
            self._close()
            self.telemetry.end_span(self.span, max(now, self.received + SHORTEST) + self.offset)

    # --- The end -------------------------------------------------------------------------------------------
    def _close(self) -> None:
        # No frame is a chunk of it from now on.
        self.ended = True
        self.head = NO_FRAME
        self.beyond = ""
        self.telemetry.open_exchanges -= 1

    def end(self, now: int) -> str | None:
        """End it and have everything recorded; returns the outcome, or None when it had ended before."""
        if self.ended:
            return None
        self._close()
        outcome = self.outcome()
        self.telemetry.defer(self._record, outcome, now, self.telemetry.lag)
        return outcome

    def _record(self, outcome: str, now: int, lag: int) -> None:
        telemetry = self.telemetry
        error = None if outcome == "ok" else self._error(outcome)
        labels = self._labels() | {names.OUTCOME: outcome}
        telemetry.exchange_duration.record((now - self.received) / SECOND, labels, self.context)
        if error is not None and not (outcome == AI_TIMEOUT and self.timeouts):
            self._count_error(outcome, error)
        if self.timeouts and not self.recovered and outcome not in _UNTOLD:
            for timeout in self.timeouts:
                labels = {names.DIALECT: self.dialect, names.TIMEOUT_PHASE: timeout.phase}
                telemetry.report_delay.record(max(0, now - timeout.noticed) / SECOND, labels, self.context)
        self._finish_span(outcome, error, now, lag)

    @property
    def recovered(self) -> bool:
        """Whether a whole answer came after a timeout had been noticed."""
        return bool(self.timeouts) and self.whole and not self.cut and not self.failed

    def outcome(self) -> str:
        """The first of `names.OUTCOMES` that applies."""
        whole = self.whole and not self.cut and not self.failed
        troubled = self.code is not None or self.raised is not None or self.left or self.stopped
        if whole and not troubled and (self.first or self.command):
            return "ok"
        by_rank = (
            ("protocol_error", self.code is not None and _is_protocol(self.code)),
            ("server_error", self.code is not None or self.raised is not None),
            ("disconnected", bool(self.left)),
            ("cancelled", self.stopped),
            (AI_TIMEOUT, bool(self.timeouts) and not whole),
            ("ai_error", self.failed),
            ("cut", self.cut or (bool(self.first) and not self.whole)),
            ("no_answer", not self.first and not self.command),
        )
        return next((name for name, applies in by_rank if applies), "ok")

    def _finish_span(self, outcome: str, error: str | None, now: int, lag: int) -> None:
        if self.chunks > 1:
            self._record_stream()
        if not self.answer_size and self.form.cumulative and self.chunks:
            self.answer_size = self.form.chunk_size(self.frame_size)
        attributes: Attributes = {
            names.OUTCOME: outcome,
            names.DIALECT: self.dialect,
            names.CORRELATION: self.correlation,
            names.MESSAGE_SIZE: self.message_size,
            names.ANSWER_SIZE: self.answer_size,
            names.STREAM_CHUNKS: self.chunks,
            names.STREAM_SIZE: self.stream_size,
        }
        if self.first:
            attributes[names.TIME_TO_FIRST_CHUNK] = (self.first - self.received) / SECOND
        if self.left:
            attributes[names.ABANDONED_TIME] = (now - self.left) / SECOND
        if self.timeouts:
            attributes[names.TIMEOUT_RECOVERED] = self.recovered
        if self.spent is not None:
            attributes |= self.spent.attributes(now - self.received, lag)
        if self.code is not None:
            attributes[names.RPC_STATUS] = str(self.code)
        if error is not None:
            attributes[names.ERROR_TYPE] = error
        end = max(now, self._shortest()) + self.offset
        self.telemetry.end_span(self.span, end, attributes, error=error is not None)

    def _shortest(self) -> int:
        # Its children are in it, also those that had to be lengthened.
        start = self.received if self.chunks < 2 else max(self.received, self.first)
        for timeout in self.timeouts:
            start = max(start, timeout.since)
        return start + SHORTEST

    def _record_stream(self) -> None:
        attributes = self._common() | {
            names.STREAM_CHUNKS: self.chunks,
            names.STREAM_SIZE: self.stream_size,
            names.STREAM_MAX_GAP: self.max_gap / SECOND,
        }
        self.telemetry.span(
            names.SPAN_STREAM, self.first + self.offset, self.last + self.offset, attributes, self.context
        )

    def _error(self, outcome: str) -> str:
        return self.error_type or self.raised or outcome

    def _count_error(self, outcome: str, error: str) -> None:
        labels = {names.DIALECT: self.dialect, names.OUTCOME: outcome, names.ERROR_TYPE: error}
        self.telemetry.errors.add(1, labels, self.context)

    def _labels(self) -> Attributes:
        labels: Attributes = {names.DIALECT: self.dialect}
        if self.agent is not None:
            labels[names.GEN_AI_AGENT_ID] = self.agent
        if self.model is not None:
            labels[names.GEN_AI_REQUEST_MODEL] = self.model
        return labels

    def _common(self) -> Attributes:
        return {names.SESSION_ID: self.session_id} if self.session_id else {}


def _is_protocol(code: int) -> bool:
    return code == -32700 or -32602 <= code <= -32600


def _unwatched(exchange: Exchange) -> None:
    return None


def _alone(exchange: Exchange, now: int) -> None:
    exchange.end(now)
