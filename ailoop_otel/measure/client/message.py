"""One message and its answer as the client sees them, whatever the generation.

The definitions are those of the instrumentation (`ailoop_otel.tracking.exchange`), so that client and server speak of
the same moments. Times are seconds of `time.perf_counter()`.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Final

from ailoop_otel.measure.results.observations import OK
from ailoop_otel.protocol import Answer, Dialect
from ailoop_otel.protocol.frame import PROTOCOL_ERRORS

CLIENT_TIMEOUT: Final = "client_timeout"
REFUSED: Final = "refused"
DISCONNECTED: Final = "disconnected"
OUTCOMES: Final = (
    OK, "protocol_error", "server_error", DISCONNECTED, "cancelled", "ai_timeout", "ai_error", "cut", "no_answer",
    CLIENT_TIMEOUT, REFUSED,
)  # fmt: skip
# No cumulative frame without text is longer.
_EMPTY_BELOW: Final = 400


class Message:
    """A message from the moment it was planned until its answer is complete, or nobody waits any more.

    The conversation tells what came by setting the plain fields and calling the methods. 0 stands for a moment that
    has not come. `gaps` are the seconds between chunks, `abandoned` the outcome that the client decided itself.
    """

    __slots__ = (
        "_base", "_frame_size", "_plain", "_repeated", "_rest", "abandoned", "acknowledged", "answered", "chunks",
        "code", "command", "completed", "cut", "failed", "first", "gaps", "last", "lost", "on_end", "planned", "sent",
        "span_id", "stopped", "timed_out", "trace_id", "whole",
    )  # fmt: skip

    def __init__(self, planned: float) -> None:
        self.planned = planned
        self.trace_id = secrets.token_hex(16)
        self.span_id = secrets.token_hex(8)
        self.sent = 0.0
        self.acknowledged = 0.0
        self.first = 0.0
        self.last = 0.0
        self.completed = 0.0
        self.chunks = 0
        self.gaps: list[float] = []
        self.answered = False
        self.whole = False
        self.command = False
        self.cut = False
        self.failed = False
        self.timed_out = False
        self.stopped = False
        self.lost = False
        self.code: int | None = None
        self.abandoned: str | None = None
        self.on_end: Callable[[Message], None] = _nobody
        self._frame_size = 0
        self._base = 0  # that size where the latest model call's text begins
        self._rest = 0  # what of it is not text
        self._repeated = False
        self._plain = False

    @property
    def traceparent(self) -> str:
        """The trace context that travels with it (W3C Trace Context), sampled."""
        return f"00-{self.trace_id}-{self.span_id}-01"

    @property
    def ended(self) -> bool:
        """Whether nothing more is waited for."""
        return bool(self.completed) or self.lost or self.abandoned is not None

    @property
    def outcome(self) -> str:
        """One of `OUTCOMES`, the first that applies."""
        if self.abandoned is not None:
            return self.abandoned
        by_rank = (
            ("protocol_error", self.code in PROTOCOL_ERRORS),
            ("server_error", self.code is not None),
            (DISCONNECTED, self.lost),
            ("cancelled", self.stopped),
            ("ai_timeout", self.timed_out),
            ("ai_error", self.failed),
            ("cut", self.cut or (bool(self.first) and not self.whole)),
            ("no_answer", not self.first and not self.command),
        )
        return next((name for name, applies in by_rank if applies), OK)

    # --- What came -----------------------------------------------------------------------------------------
    def chunk(self, now: float) -> None:
        """A frame with new text."""
        if self.chunks:
            self.gaps.append(now - self.last)
        else:
            self.first = now
        self.last = now
        self.chunks += 1

    def update(self, frame: str, now: float, dialect: Dialect) -> None:
        """A frame with all text so far; the same again is the repeat that ends a stream."""
        size = len(frame)
        if size <= self._frame_size:
            if size == self._frame_size:
                self._repeated = True
                self._base = size
                return
            # Shorter than the one before: another model call began with an empty buffer.
            self._plain = frame.endswith(dialect.plain_tail)
            self._base = 0
        self._frame_size = size
        if size < _EMPTY_BELOW and frame.startswith(dialect.chunk_empty):
            return
        self._repeated = False
        if not self.chunks:
            self._plain = frame.endswith(dialect.plain_tail)
            self._rest = dialect.chunk_rest(frame)
        self.chunk(now)

    def text(self, now: float) -> None:
        """Text in one piece: the first chunk where nothing was streamed."""
        if not self.first:
            self.chunk(now)

    def answer(self, answer: Answer, now: float) -> None:
        """The reply brought the answer."""
        self.command = answer.command
        self.failed = self.failed or answer.failed
        if answer.size:
            self.text(now)
        self.whole = bool(answer.size) or answer.command
        self._check_ending(answer)
        self.end(now)

    def _check_ending(self, answer: Answer) -> None:
        """A stream of plain text that was not repeated was cut, unless it holds more than the answer."""
        if not self._plain or self._repeated or not answer.tells_ending:
            return
        streamed = self._frame_size - (self._base or self._rest)
        if streamed > answer.wire_size:
            # The model's last words came with its finish reason, and the server added them a second time.
            self.chunks -= 1
            self.gaps = self.gaps[: max(0, self.chunks - 1)]
        else:
            self.cut = True

    # --- The end -------------------------------------------------------------------------------------------
    def end(self, now: float) -> None:
        """The answer is complete, or the server told that it failed."""
        if not self.ended:
            self.completed = now
            self.on_end(self)

    def lose(self) -> None:
        """The connection ended first."""
        if not self.ended:
            self.lost = True
            self.on_end(self)

    def abandon(self, outcome: str) -> None:
        """The client waits no longer, or could never send it."""
        if not self.ended:
            self.abandoned = outcome
            self.on_end(self)


def _nobody(message: Message) -> None:
    return None
