"""Judge runs by targets and a baseline.

A figure passes when its whole interval is within what is allowed, and fails when its whole interval is beyond. The
threshold is the tolerance, not "no change", so that a harmless difference passes even if it is significant. A pass
needs all figures to pass, which needs no correction (intersection-union test, Berger 1982). One figure is enough to
fail, so failures are corrected for the number of figures: Holm 1979, "A simple sequentially rejective multiple test
procedure".
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from ailoop_otel.measure import Refusal
from ailoop_otel.measure.results.definitions import DEFINITIONS, STABLE_RATE, STABLE_SESSIONS
from ailoop_otel.measure.results.run import Run, pooled
from ailoop_otel.measure.statistics.estimates import figure_of
from ailoop_otel.measure.statistics.intervals import BLOCKS, CONFIDENCE
from ailoop_otel.measure.verdict import baseline as baselines
from ailoop_otel.measure.verdict import changes
from ailoop_otel.measure.verdict.baseline import load as load_baseline
from ailoop_otel.measure.verdict.changes import BETWEEN_RUNS, RULES, Change, Rule
from ailoop_otel.measure.verdict.decisions import FEWEST_RUNS, against_baseline, against_target, excused
from ailoop_otel.measure.verdict.targets import VALUE, Targets, share
from ailoop_otel.measure.verdict.targets import load as load_targets
from ailoop_otel.measure.verdict.validity import at_limit, validity_problems
from ailoop_otel.measure.verdict.verdict import Judged, Judgement, Verdict, overall

_FAMILY: Final = (
    "Pass: the whole interval is within what is allowed. Fail: all of it is beyond, at a confidence corrected for the "
    f"number of figures (Holm), so that all of them together raise a false alarm in {50 * (1 - CONFIDENCE):.2g} % of "
    "runs at most; or each of five or more values is beyond by more than a factor of 2. "
    "A failure counts as infinitely slow."
)
METHOD: Final = (
    f"95 % intervals: exact order statistics and block bootstrap ({BLOCKS} blocks in order of time) for times, both "
    "for as many independent values as the dependent ones are worth; shift of all values (Mann-Whitney, "
    "Hodges-Lehmann) where a percentile has too few; exact binomial for shares, Theil-Sen with Sen's interval for "
    f"slopes, MOVER for changes, Student's for means over runs. {_FAMILY}"
)
PAIRED_METHOD: Final = f"95 % intervals: Student's for the mean change over pairs of rounds. {_FAMILY}"
_ONE_RUN: Final = (
    "with one run on each side, how much runs differ from one to the next is not known: a change fails only if it is "
    f"beyond what is allowed by {100 * BETWEEN_RUNS:g} % more (measure --runs {FEWEST_RUNS} knows it)"
)
_NUMBER: Final = re.compile(r"\d[\d,]*")
_UNJUDGED: Final = (
    "there was nothing to judge it by: give --targets FILE, or --targets default for sensible ones, or --baseline RUN"
)
_ELSEWHERE: Final = "the baseline is from another machine"
_TARGETS_ONLY: Final = "there is no baseline yet to compare with: this run is judged by its targets alone"
_FIRST: Final = "there is no baseline yet to compare with"

Runs = Sequence[Run]


def judge(
    run: Run | Runs, baseline: Run | Runs | None = None, targets: Targets | None = None, tolerance: float | None = None
) -> Judgement:
    """Judge a run, or several of one server together; without baseline and targets it is not judged.

    `tolerance` is a share, which `targets` may override; without it each figure has its own (`RULES`). Raises Refusal
    for a baseline of another scenario or with other units.
    """
    runs, before = _several(run), _several(baseline)
    whole = pooled(runs)
    wanted = _applicable(targets or Targets(), whole)
    for each in before:
        baselines.check_comparable(each, whole)
    changed = _changes(runs, before, wanted, tolerance) if before else []
    other = before and baselines.other_machine(before[-1].context, whole.context)
    busy = _generator_at_limit([*runs, *before])
    by_target = [(partial(against_target, whole, target), busy) for target in wanted.targets]
    by_baseline = [(partial(against_baseline, each), busy or (_ELSEWHERE if other else "")) for each in changed]
    rows = _holm([*by_target, *by_baseline])
    if not before:
        return Judgement(
            tuple(rows), overall(row.verdict for row in rows), (_TARGETS_ONLY if rows else _UNJUDGED,), METHOD
        )
    notes = [*baselines.differences(before[-1].context, whole.context), *_left_out(runs, before, changed)]
    if len(runs) + len(before) == 2:
        notes.append(_ONE_RUN)
    return _summed_up(rows, notes, METHOD, compared=bool(changed))


def _applicable(targets: Targets, run: Run) -> Targets:
    """The default targets without those of what was not observed, or is meant to fail in this scenario."""
    if not targets.if_observed:
        return targets
    seen, expects = {each.name for each in run.metrics()}, bool(run.context.settings.get("expects"))
    kept = (each for each in targets.targets if each.metric in seen)
    return replace(targets, targets=tuple(each for each in kept if not expects or DEFINITIONS[each.metric].of_failures))


def _several(run: Run | Runs | None) -> Runs:
    return [run] if isinstance(run, Run) else run or []


def _generator_at_limit(runs: Iterable[Run]) -> str:
    return "the load generator was at its limit" if any(at_limit(run.context.load) for run in runs) else ""


def _holm(figures: Sequence[tuple[Callable[[float], Judged], str]]) -> list[Judged]:
    """Judge all figures, each with its excuse, at the confidence with which together they keep `CONFIDENCE`.

    Holm 1979: what fails at the confidence for all of them leaves a smaller family for the others.
    """
    left = len(figures) + 1
    rows: list[Judged] = []
    while left and (passed := sum(row.verdict is not Verdict.FAIL for row in rows) if rows else len(figures)) < left:
        left = passed
        rows = [excused(figure(1 - (1 - CONFIDENCE) / max(1, left)), excuse) for figure, excuse in figures]
    return rows


def judge_by_files(run: Run | Runs, baseline: str = "", targets: str = "", tolerance: str = "") -> Judgement:
    """Judge runs by the paths of a baseline and of targets, and by a tolerance as text (`10 %`); empty for none.

    A baseline that does not exist is left out. Raises Refusal for a file or a tolerance that cannot be read.
    """
    return judge_by_options(run, load_baseline(baseline) if baseline else None, baseline, targets, tolerance)


def judge_by_options(
    run: Run | Runs, before: Runs | None, baseline: str = "", targets: str = "", tolerance: str = ""
) -> Judgement:
    """As `judge_by_files`, with the baseline already read; a load test that is not valid (`validity.py`) does not pass.

    `before` is None where `baseline` does not exist.
    """
    runs = _several(run)
    wanted = load_targets(targets, runs[-1].context.scenario) if targets else None
    judgement = judge(runs, before, wanted, share_of(tolerance))
    judgement = with_validity_problems(judgement, (("", each) for each in runs))
    if not baseline or before is not None:
        return judgement
    notes = [_FIRST if note == _UNJUDGED else note for note in judgement.notes]
    # The note must not begin with the path: its first letter is written as a capital.
    hint = f"the baseline {baseline} is not there yet: save this run there to compare the next with it"
    return replace(judgement, notes=(*notes, hint))


def with_validity_problems(judgement: Judgement, sides: Iterable[tuple[str, Run]]) -> Judgement:
    """Add the validity problems of runs, each with its side: "A", "B", or empty where there is only one side.

    Those of A make the verdict inconclusive, the others may make it a failure. They stand before all other notes; one
    that several runs of a side share is added once, with the numbers of the first run.
    """
    found: dict[str, tuple[Verdict, str]] = {}
    for side, run in sides:
        for verdict, reason in validity_problems(run):
            note = f"{side}: {reason}" if side else reason
            found.setdefault(_NUMBER.sub("", note), (Verdict.INCONCLUSIVE if side == "A" else verdict, note))
    verdict = overall([judgement.verdict, *(each for each, _ in found.values())])
    return replace(judgement, verdict=verdict, notes=(*(note for _, note in found.values()), *judgement.notes))


def share_of(tolerance: str) -> float | None:
    """Read the option --tolerance as a share, empty for None; raises Refusal for a text that is not valid."""
    try:
        return share(tolerance) if tolerance else None
    except ValueError as error:
        raise Refusal(f"--tolerance: {error}") from None


def judge_pairs(
    pairs: Sequence[tuple[Run, Run]], targets: Targets | None = None, tolerance: float | None = None
) -> Judgement:
    """Judge the second run of each pair by the first; the pairs were made in turns. `tolerance` is a share."""
    wanted = targets or Targets()
    found = [changes.paired(rule, pairs, _tolerance(rule, wanted, tolerance)) for rule in RULES]
    changed = [each for each in found if each is not None]
    busy = _generator_at_limit(run for pair in pairs for run in pair)
    rows = _holm([(partial(against_baseline, each), busy) for each in changed])
    notes = list(baselines.differences(pairs[0][0].context, pairs[0][1].context)) if pairs else []
    return _summed_up(rows, notes, PAIRED_METHOD, compared=bool(changed))


def _tolerance(rule: Rule, targets: Targets, tolerance: float | None) -> float:
    return targets.tolerance(rule.definition.name, rule.tolerance if tolerance is None else tolerance)


def _changes(runs: Runs, before: Runs, targets: Targets, tolerance: float | None) -> list[Change]:
    """The changes that can be compared: none under different loads, and none of samples too few for an interval."""
    same = _same_load([*runs, *before])
    found = (
        changes.change(rule, runs, before, _tolerance(rule, targets, tolerance))
        for rule in RULES
        if rule.any_load or same
    )
    return [each for each in found if each is not None and not (each.rule.definition.each == "sample" and each.lacking)]


def _same_load(runs: Runs) -> bool:
    """Whether the runs, if they searched for the largest stable load, held the same one."""
    held = {(figure_of(each, STABLE_SESSIONS, VALUE), figure_of(each, STABLE_RATE, VALUE)) for each in runs}
    return len({str(each) for each in held}) < 2 or any(all(map(math.isnan, each)) for each in held)


def _summed_up(rows: list[Judged], notes: list[str], method: str, *, compared: bool) -> Judgement:
    verdict = overall(row.verdict for row in rows)
    if not compared:
        notes.append("the two have no figure in common that could be compared")
        verdict = Verdict.FAIL if verdict is Verdict.FAIL else Verdict.INCONCLUSIVE
    return Judgement(tuple(rows), verdict, tuple(notes), method)


def _left_out(runs: Runs, before: Runs, changed: list[Change]) -> Iterator[str]:
    """Notes on the figures that could not be compared."""
    done = {each.rule for each in changed}
    if not _same_load([*runs, *before]):
        yield "the runs held different loads: nothing else that depends on the load is compared"
        done |= {rule for rule in RULES if not rule.any_load}
    for rule in RULES:
        if rule in done:
            continue
        then, now = (max(_observed(side, rule), default=math.nan) for side in (before, runs))
        name = rule.definition.name if rule.figure == VALUE else f"{rule.figure} of {rule.definition.name}"
        if math.isinf(then):
            yield f"{name} is not compared: in the baseline, failures reach it already"
        elif math.isnan(then) != math.isnan(now):
            where = "this run" if math.isnan(then) else "the baseline"
            yield f"{name} is not compared: it was observed in {where} only"
        elif rule.definition.each == "sample" and not math.isnan(then):
            yield f"{name} is not compared: the runs are too short for an interval of its samples"


def _observed(runs: Runs, rule: Rule) -> list[float]:
    values = (figure_of(run, rule.definition, rule.figure) for run in runs)
    return [value for value in values if not math.isnan(value)]
