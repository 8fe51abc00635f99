"""Levels of the load: their figures, whether they are stable, and the search for the largest one that is.

Nothing here reads a clock.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from statistics import fmean
from typing import Final

import numpy as np

from ailoop_otel.measure.load.live import Followed, passed, too_slow
from ailoop_otel.measure.load.scenario import Ramp, StabilityCriteria
from ailoop_otel.measure.results.level_figures import LevelFigures
from ailoop_otel.measure.results.observations import OK
from ailoop_otel.measure.statistics.percentiles import percentile
from ailoop_otel.measure.verdict.validity import BUSY, SENT

_SLACK: Final = 1.0
FEWEST: Final = 20
"""With fewer messages than this, a level's p95 is its slowest message."""


@dataclass(slots=True)
class Level:
    """One level of the load: `load` sessions or messages/s for `seconds` seconds, and the messages planned in it.

    `connected` of the `sessions` that were wanted are connected; `busy` is the CPU time of the busiest load process, 1
    is a core, and `own_limit` why the load generator could not open more sessions. `reason` says why the level missed
    the targets, and `own` why the load generator could not put it on; both are empty where it met them. `held` is true
    for the level that confirms another.
    """

    load: float
    sessions: int
    seconds: float
    messages: list[Followed] = field(default_factory=list)
    connected: int = 0
    busy: float = 0.0
    own_limit: str = ""
    held: bool = False
    reason: str = ""
    own: str = ""

    @property
    def errors(self) -> float:
        """Errors per 1,000 messages, of which a slash command that succeeded is none, as in `error_rate`."""
        failed = sum(bool(each.outcome) and each.outcome != OK for each in self.messages)
        return 1000 * failed / max(1, len(self._answers))

    @property
    def delivered(self) -> int:
        """How many messages were sent within the time of the level."""
        return sum(self._sent(each, _SLACK) for each in self.messages)

    def _sent(self, message: Followed, slack: float = 0.0) -> bool:
        end = self.messages[0].planned + self.seconds + slack
        return message.sent is not None and message.planned + message.sent <= end

    @property
    def _answers(self) -> list[Followed]:
        return [each for each in self.messages if each.waits or each.first is not None]

    def first_chunk(self, percent: float, *, since_sent: bool = False) -> float:
        """A percentile of the first chunk in seconds; messages that failed or still wait count as infinity.

        NaN without messages. With `since_sent` it counts from when a message was sent, for those sent within the level.
        """
        return self._percentile(lambda each: each.first, percent, since_sent)

    def completion(self, percent: float, *, since_sent: bool = False) -> float:
        """A percentile of the complete answer, as `first_chunk`."""
        return self._percentile(lambda each: each.took if each.outcome == OK else None, percent, since_sent)

    def _percentile(self, take: Callable[[Followed], float | None], percent: float, since_sent: bool) -> float:
        pairs = [(take(each), each.sent) for each in self._answers if not since_sent or self._sent(each)]
        seconds = [math.inf if value is None else value - (sent or 0.0) * since_sent for value, sent in pairs]
        return percentile(np.sort(np.array(seconds, dtype=float)), percent)

    def undecided(self, stable: StabilityCriteria) -> bool:
        """Whether a message may still meet the targets."""
        complete = stable.completion_p95 is not None
        return any(each.waits or (complete and not each.outcome) for each in self.messages)

    def judge(self, stable: StabilityCriteria, *, planned: bool) -> None:
        """Set `reason` or `own`.

        Where messages had `planned` times and waited for a free session, it is the server's miss only if they missed
        the targets without that wait too.
        """
        if self.own_limit and self.connected < self.sessions:
            self.own = self.own_limit
        elif self.busy > BUSY:
            self.own = f"a process of it used {100 * self.busy:.0f} % of a core: use more --processes"
        elif self.connected < self.sessions:
            self.reason = f"{self.sessions - self.connected} of {self.sessions} sessions could not be kept open"
        elif self.messages:
            self.reason = self._missed(stable, since_sent=False)
            late = self.reason or self.delivered < SENT * len(self.messages)
            if planned and late and not self._missed(stable, since_sent=True):
                self.reason = ""
                self.own = (
                    f"its {self.sessions} sessions were all busy, and messages waited for one: {self.delivered:,} of "
                    f"{len(self.messages):,} were sent in time; use more sessions (--set sessions), or where they are "
                    "the level a lower ramp.rate"
                )

    def _missed(self, stable: StabilityCriteria, *, since_sent: bool) -> str:
        missed = passed(stable, self.errors, self.first_chunk(95, since_sent=since_sent))
        return missed or too_slow("complete answer", self.completion(95, since_sent=since_sent), stable.completion_p95)

    def good(self, stable: StabilityCriteria) -> int:
        """How many messages met the targets, each for itself."""
        complete = math.inf if stable.completion_p95 is None else stable.completion_p95
        return sum(
            each.outcome == OK and (each.first or 0.0) <= stable.first_chunk_p95 and (each.took or 0.0) <= complete
            for each in self.messages
        )

    def figures(self, stable: StabilityCriteria, *, planned: bool) -> LevelFigures:
        """Its figures for reports; `planned` where its messages had planned times."""
        count = len(self.messages)
        return LevelFigures(
            self.load,
            self.sessions,
            self.seconds,
            count,
            offered=count / self.seconds if planned else math.nan,
            delivered=self.delivered / self.seconds,
            goodput=self.good(stable) / self.seconds,
            errors=self.errors if count else math.nan,
            first_chunk_p50=self.first_chunk(50),
            first_chunk_p95=self.first_chunk(95),
            completion_p50=self.completion(50),
            completion_p95=self.completion(95),
            held=self.held,
            missed=self.reason,
            not_put_on=self.own,
        )


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The largest level that stayed stable (0 for none), why no larger one is, and whether the limit was reached.

    `own` is why the load generator could put on no more; then the limit is not the server's.
    """

    load: float
    reason: str
    met: bool
    own: str = ""


def needed_sessions(rate: float, answers: Iterable[Followed]) -> int:
    """How many sessions are needed for messages at a rate, if they take as long as the given ones; 0 without any.

    As many messages are under way as the rate times their mean duration, Poisson-distributed (M/G/infinity queue:
    Cinlar 1975, Introduction to Stochastic Processes); three standard deviations more are enough.
    """
    took = [each.took - (each.sent or 0.0) for each in answers if each.took is not None]
    mean = rate * fmean(took) if took else 0.0
    return math.ceil(mean + 3 * math.sqrt(mean))


def search(ramp: Ramp, climb: Callable[[float], Level], hold: Callable[[float], Level]) -> SearchResult:
    """Find the largest stable level: climb until one is not stable, then hold the level before, or lower ones.

    `climb` and `hold` run a level and judge it.
    """
    good: list[float] = []
    reason = own = ""
    for load in ramp.loads():
        level = climb(load)
        if level.reason or level.own:
            reason, own = f"at {ramp.text(load)} {level.reason or level.own}", level.own
            break
        good.append(load)
    met = bool(reason)
    while good:
        load = good.pop()
        level = hold(load)
        if not (level.reason or level.own):
            return SearchResult(load, reason, met, own)
        met, reason = True, f"held at {ramp.text(load)}, {level.reason or level.own}"
        own = own or level.own
    return SearchResult(0, reason, met, own)
