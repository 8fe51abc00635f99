"""What a reader must know of how a run was measured: whether the load generator kept up, and what was found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from ailoop_otel.measure import definitions
from ailoop_otel.measure.observations import Observation, is_missing
from ailoop_otel.measure.run import Run
from ailoop_otel.measure.scenario import Ramp, Stable
from ailoop_otel.measure.stability import FEWEST, Found
from ailoop_otel.measure.workers import LoadProcess

# A load process that was busier, or whose loop was later, has delayed what it measured.
_BUSY: Final = 0.85
_LATE: Final = 0.010
_FEW: Final = 5
# Seconds of even load below which memory that a server takes once, as it warms up, looks like a leak. The figure is
# shown all the same: a leak worth the name is seen within seconds, and two runs as short as each other compare.
SHORT_GROWTH: Final = 30.0


def of_generator(run: Run, processes: Sequence[LoadProcess]) -> Iterator[str]:
    """Whether what was measured is in part the load generator itself."""
    lags = [each.lag for each in processes if each.lag is not None]
    late = max((each.get_value_at_percentile(99) / 1e6 for each in lags), default=0.0)
    busiest = max((float(np.quantile(each.busy, 0.9)) for each in processes if each.busy), default=0.0)
    if busiest > _BUSY:
        yield (
            f"The load generator was at its limit: a process of it used {100 * busiest:.0f} % of a core. "
            "Its own delay is in the latencies; use more --processes, or another machine."
        )
    elif late > _LATE:
        yield (
            f"The load generator was late by up to {1000 * late:.0f} ms (p99) though it had little to do: this "
            "machine is busy with other things, and their delay is in the latencies."
        )
    delays = [row.value for row in run.of(definitions.SEND_DELAY) if not is_missing(row.value)]
    waited = sum(delay > max(_LATE, late) for delay in delays)
    if waited > max(_FEW, 0.01 * len(delays)):
        yield (
            f"Of {len(delays):,} messages {waited:,} found all sessions busy when they were due and waited, which "
            "counts in their latencies. More sessions would offer the load as planned."
        )
    if any(each.beat.get("stranger") for each in processes):
        yield "The server answered in a dialect that is not known here: the outcomes of its messages mean nothing."
    for problem in sorted({problem for each in processes for problem in each.beat.get("problems", ())}):
        yield f"In the load generator {problem}."


def of_server(pid: int | None, *, lost: bool) -> Iterator[str]:
    """What could not be read of the server's process."""
    if pid is None:
        yield "The server's memory was not read: nobody said which process it is (--pid, or --start)."
    if lost:
        yield "The server's process ended during the run."


def of_growth(growth: float, memory: Sequence[Observation]) -> Iterator[str]:
    """That memory which grew (bytes a second) was watched for a short time only, in these samples."""
    seconds = max((row.at for row in memory), default=0.0) - min((row.at for row in memory), default=0.0)
    if growth > 0 and seconds < SHORT_GROWTH:
        yield (
            f"The memory's growth is that of {seconds:.0f} s, in which a server that warms up grows too: it proves no "
            "leak. Let it run for a minute or more (duration, stable.hold) to tell."
        )


def of_search(found: Found, ramp: Ramp, stable: Stable) -> Iterator[str]:
    """What the largest stable number of sessions means, and why it is no larger."""
    if found.met:
        yield f"Stable with {found.sessions} sessions, to the step of {ramp.step}: {found.reason}."
    else:
        yield f"The limit was not met: {found.sessions} sessions are the most that were tried; raise ramp.most."
    yield (
        f"Stable means at most {stable.errors:g} errors per 1,000 messages and a p95 of the first chunk of at most "
        f"{stable.first_chunk_p95:g} s, held for {stable.hold:g} s."
    )
    if ramp.rate * ramp.start * ramp.seconds < FEWEST:
        yield f"The first levels had fewer than {FEWEST} messages: there a p95 is the slowest of them."
