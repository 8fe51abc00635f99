"""The result of a load test: the figures with one value per run, and notes on how it was measured."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import numpy as np

from ailoop_otel.measure.client.message import REFUSED
from ailoop_otel.measure.load.level import FEWEST, Level, SearchResult
from ailoop_otel.measure.load.scenario import OPEN, RATE, Ramp, Scenario, StabilityCriteria
from ailoop_otel.measure.load.worker_pool import LoadProcess, WorkerPool
from ailoop_otel.measure.results import definitions
from ailoop_otel.measure.results.level_figures import LevelFigures
from ailoop_otel.measure.results.observations import Observation, is_missing, observed
from ailoop_otel.measure.results.quantities import shown
from ailoop_otel.measure.results.run import Run
from ailoop_otel.measure.statistics.estimates import run_figures, settled_slope
from ailoop_otel.measure.statistics.percentiles import summarise
from ailoop_otel.measure.verdict.validity import BUSY

_FEWEST_SAMPLES: Final = 10
_FEWEST_OPENED: Final = 5
# Seconds of lag above which a load process has delayed the messages that it measured.
_LATE: Final = 0.010
_FEW: Final = 5
_SLACK: Final = 1.0
# Seconds of even load below which memory that a server allocates once, as it warms up, looks like a leak. The figure
# is shown nevertheless: a real leak shows within seconds, and two runs of the same length can be compared.
SHORT_GROWTH: Final = 30.0


def figures(
    run: Run, scenario: Scenario, by_opened: Sequence[tuple[int, int]], found: SearchResult | None, at: float
) -> Iterator[Observation]:
    """The metrics with one value per run, computed from its observations, with the time `at` (its end).

    `by_opened` holds pairs of the sessions opened so far and the server's memory in bytes; `found` is the result of a
    search for the largest stable number of sessions, if there was one.
    """
    yield from run_figures(run.steady(definitions.COMPLETION), at)
    if found is not None and scenario.ramp is not None:
        stable = definitions.STABLE_RATE if scenario.ramp.of == RATE else definitions.STABLE_SESSIONS
        yield observed(stable, float(found.load), at)
    # During a search the load grows with the sessions, and memory follows the load too.
    if found is None and by_opened and by_opened[-1][0] - by_opened[0][0] >= _FEWEST_OPENED:
        per_session = settled_slope([count for count, _ in by_opened], [memory for _, memory in by_opened])
        if not math.isnan(per_session):
            yield observed(definitions.MEMORY_PER_SESSION, per_session, at)
    memory = steady_memory(run, scenario)
    if len(memory) >= _FEWEST_SAMPLES:
        growth = settled_slope([row.at for row in memory], [row.value for row in memory])
        if not math.isnan(growth):
            yield observed(definitions.MEMORY_GROWTH, growth, at)


def steady_memory(run: Run, scenario: Scenario) -> list[Observation]:
    """The samples of the server's memory under an even load, whose slope is the memory growth."""
    uneven = scenario.ramp is not None or bool(scenario.stages)
    return [row for row in run.of(definitions.MEMORY) if not uneven or row.phase == "hold"]


def delivered(
    run: Run, scenario: Scenario, workers: WorkerPool, connected: int, begun: float
) -> Iterator[tuple[str, Any]]:
    """The load that was put on: pairs of name and value, which the verdict and the report need.

    `sessions` asked for and `connected` at most, at once; `refusal` by the server and `own_limit` of the load
    generator, each why sessions are missing; `refusals`, how often the server refused one from `begun` on; messages
    `planned` and `sent` in an open loop, until `_SLACK` seconds after the last was due; `busy`, the CPU time of the
    busiest load process, 1 is a core. A search for the largest number of sessions asks for no number of them, and
    recorded traffic for all of them at some time.
    """
    ramp, recorded = scenario.ramp, scenario.recorded
    if recorded is not None:
        started = sum(not row.failed for row in run.of(definitions.SESSION_START))
        yield "sessions", len(recorded.sessions)
        yield "connected", min(started, len(recorded.sessions))
    elif ramp is None or not ramp.search:
        yield "sessions", scenario.most_sessions
        yield "connected", connected
    if ramp is None or not ramp.search:
        starts = run.of(definitions.SESSION_START)
        yield "refusals", sum(row.outcome == REFUSED and row.at >= begun for row in starts)
    for name in ("refusal", "own_limit"):
        yield name, workers.reason(name)
    planned = [row.at for row in run.of(definitions.FIRST_CHUNK)] + [row.at for row in run.of(definitions.COMMAND)]
    if planned and ramp is None and scenario.loop == OPEN:
        last = max(planned) + _SLACK
        yield "planned", len(planned)
        yield "sent", sum(row.at + row.value <= last for row in run.of(definitions.SEND_DELAY))
    yield "busy", round(_busiest(workers.processes), 3)


def level_figures(ran: Iterable[Level], scenario: Scenario) -> Iterator[LevelFigures]:
    """The figures of all levels; those that did not decide on the next one are judged by what came until the end."""
    planned = scenario.loop == OPEN
    for level in ran:
        if scenario.ramp is not None and not scenario.ramp.search:
            level.judge(scenario.stable, planned=planned)
        yield level.figures(scenario.stable, planned=planned)


def _busiest(processes: Sequence[LoadProcess]) -> float:
    return max((float(np.quantile(each.busy, 0.9)) for each in processes if each.busy), default=0.0)


def recorded_notes(scenario: Scenario) -> Iterator[str]:
    """What recorded traffic is, and what of it is not as it was recorded."""
    recorded = scenario.recorded
    if recorded is not None:
        sent = [each for session in recorded.sessions for each in session.messages]
        captured, commands = sum(bool(each.text) for each in sent), sum(each.command for each in sent)
        yield (
            f"Recorded traffic of {recorded.source}, at {recorded.pace:g} times its pace: {len(sent):,} messages, "
            f"{commands:,} of them slash commands, of {len(recorded.sessions):,} sessions, {recorded.opened_before:,} "
            f"open at its begin. {captured:,} messages have their recorded text, the others text as long as recorded."
        )


def generator_notes(run: Run, processes: Sequence[LoadProcess], *, recorded: bool = False) -> Iterator[str]:
    """Notes on whether the load generator itself delayed what it measured, or `recorded` sessions did."""
    late = max((each.late for each in processes), default=0.0)
    if late > _LATE and _busiest(processes) <= BUSY:
        yield (
            f"The load generator was late by up to {1000 * late:.0f} ms (p99) though it had little to do: this "
            "machine is busy with other things, and their delay is in the latencies."
        )
    delays = [row.value for row in run.of(definitions.SEND_DELAY) if not is_missing(row.value)]
    waited = sum(delay > max(_LATE, late) for delay in delays)
    if waited > max(_FEW, 0.01 * len(delays)):
        if recorded:
            why = "waited for the answer before in their session"
            mend = "the server answers later than when this was recorded, or --pace is high."
            yield f"Of {len(delays):,} messages {waited:,} {why}, which counts in their latencies: {mend}"
        else:
            whose = " of their load process" if len(processes) > 1 else ""
            mend = "More sessions, or fewer --processes," if whose else "More sessions"
            yield (
                f"Of {len(delays):,} messages {waited:,} found all sessions{whose} busy when they were due and waited, "
                f"which counts in their latencies. {mend} would offer the load as planned."
            )
    if any(each.report.get("unknown_dialect") for each in processes):
        yield "The server answered in a dialect that is not known here: the outcomes of its messages mean nothing."
    elif any(each.report.get("unread") for each in processes):
        yield (
            "Frames of an unknown form came with the answers: where they may have carried text, first chunk and gaps "
            "are left out. A dialect can teach them: docs/dialects.md"
        )
    for problem in sorted({problem for each in processes for problem in each.report.get("problems", ())}):
        yield f"In the load generator {problem}."


def stage_notes(run: Run, scenario: Scenario) -> Iterator[str]:
    """The figures of each stage, which those of the whole run mix."""
    for name in scenario.stage_names():
        rows = [row for row in run.of(definitions.FIRST_CHUNK) if row.phase == name]
        summary = summarise(Run(run.context, rows), definitions.FIRST_CHUNK)
        figures = [f"{each} {shown(summary.with_failures[each], definitions.FIRST_CHUNK)}" for each in ("p50", "p95")]
        told = f"; first chunk {', '.join(figures)}" if summary.n + summary.failures else ""
        if rows:
            yield f"{name}: {len(rows):,} messages, {summary.failures:,} failed{told}."


def server_notes(pid: int | None, *, lost: bool) -> Iterator[str]:
    """Notes on what could not be read of the server's process."""
    if pid is None:
        yield "The server's memory was not read: nobody said which process it is (--pid, or --start)."
    if lost:
        yield "The server's process ended during the run."


def growth_notes(growth: float, memory: Sequence[Observation]) -> Iterator[str]:
    """A note where memory grew (`growth` in bytes per second) but its samples cover a short time only."""
    seconds = max((row.at for row in memory), default=0.0) - min((row.at for row in memory), default=0.0)
    if growth > 0 and seconds < SHORT_GROWTH:
        yield (
            f"The memory's growth is that of {seconds:.0f} s, in which a server that warms up grows too: it proves no "
            "leak. Let it run for a minute or more (duration, stable.hold) to tell."
        )


def search_notes(found: SearchResult, ramp: Ramp, stable: StabilityCriteria) -> Iterator[str]:
    """Notes on what the largest stable number of sessions means, and why it is not larger."""
    if not found.load:
        yield f"No level was stable: {found.reason}."
    elif found.met:
        step = "" if ramp.levels else f", to the step of {ramp.step}"
        yield f"Stable with {ramp.text(found.load)}{step}: {found.reason}."
    else:
        yield f"The limit was not met: {ramp.text(found.load)} are the most that were tried; try more."
    complete = stable.completion_p95
    yield (
        f"Stable means at most {stable.errors:g} errors per 1,000 messages and a p95 of the first chunk of at most "
        f"{stable.first_chunk_p95:g} s{f', of the complete answer {complete:g} s' if complete else ''}, "
        f"held for {stable.hold:g} s."
    )
    if ramp.messages_per_second(ramp.loads()[0]) * ramp.seconds < FEWEST:
        yield f"The first levels had fewer than {FEWEST} messages: there a p95 is the slowest of them."
