"""Delivers one export request, with retries, over whatever transport; used by `replay`, the exporters and the spool."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from ailoop_otel.recorded.otlp_json import Signal
from ailoop_otel.replay.export_request import ExportRequest
from ailoop_otel.replay.hops import Hop

_LONGEST_PAUSE: Final = 10.0  # seconds, unless the collector requests more
_FIRST_PAUSE: Final = 0.25  # seconds; doubled with every attempt, the first of which is repeated at once


class ReplayStopped(Exception):
    """Nothing more can be sent for now; the text is one line that names the reason, `mend` the remedy."""

    def __init__(self, reason: str, mend: str = "") -> None:
        super().__init__(reason)
        self.mend = mend


@dataclass(frozen=True, slots=True)
class Answer:
    """A collector's response to one request: whether it was accepted, except for `rejected` records; its message.

    `unsupported` means that it accepts no request of this signal; `divisible` that a part of this one may be accepted,
    `too_large` that this is because of its size; `final` that it will never be accepted as it is. `mend` is the remedy.
    """

    accepted: bool
    rejected: int = 0
    message: str = ""
    unsupported: bool = False
    divisible: bool = False
    too_large: bool = False
    final: bool = False
    mend: str = ""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt: the collector's answer, or else the problem; `hop` is the one that failed, if any did.

    `pause` is how many seconds the collector wants to be left alone, `broken` says that the connection broke, which a
    new one mends as a rule, and `hopeless` that another attempt would end the same.
    """

    answer: Answer | None = None
    problem: str = ""
    hop: Hop | None = None
    pause: float = 0.0
    broken: bool = False
    hopeless: bool = False


class Transport(Protocol):
    """A way to one collector; `base` is its address without secrets."""

    base: str

    def attempt(self, signal: Signal, content: bytes) -> Attempt:
        """Send one request once; never raises for what the network or the collector does."""

    def close(self) -> None:
        """Close the connections."""


class Delivery:
    """Sends requests over a transport; each is retried for `patience` seconds.

    `on_wait` is called before each pause with the reason and its length in seconds.
    """

    def __init__(
        self,
        transport: Transport,
        patience: float,
        on_wait: Callable[[str, float], None] = lambda reason, pause: None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._transport = transport
        self._patience = patience
        self._on_wait = on_wait
        self._clock = clock
        self._sleep = sleep

    def send(self, request: ExportRequest) -> Answer:
        """Send a recorded request as it stands in its file; raises as `deliver` does."""
        return self.deliver(request.signal, request.content)

    def deliver(self, signal: Signal, content: bytes) -> Answer:
        """Send one request; raises ReplayStopped if `patience` ends before the collector has answered."""
        base, begin, number = self._transport.base, self._clock(), 0
        while True:
            attempt = self._transport.attempt(signal, content)
            if attempt.answer is not None:
                return attempt.answer
            mend = attempt.hop.mend if attempt.hop is not None else ""
            if attempt.hopeless:
                raise ReplayStopped(f"{base} {attempt.problem}", mend)
            number += 1
            pause = attempt.pause or (0.0 if number == 1 else min(_FIRST_PAUSE * 2 ** (number - 1), _LONGEST_PAUSE))
            # A connection that was kept open may be gone since: that is no reason to give up.
            at_once = attempt.broken and number == 1
            if not at_once and self._clock() - begin + pause > self._patience:
                asks = f" and asks to be left alone for {pause:.0f} s" if pause > _LONGEST_PAUSE else ""
                raise ReplayStopped(f"{base} {attempt.problem}{asks}", mend)
            self._on_wait(f"{base} {attempt.problem}", pause)
            self._sleep(pause)
