"""Judge a run by targets and a baseline.

A figure passes when its whole interval is within what is allowed, and fails when its whole interval is beyond. The
threshold is the tolerance, not "no change", so that a harmless difference passes even if it is significant. A pass
needs all figures to pass, which needs no correction (intersection-union test, Berger 1982). One figure is enough to
fail, so a failure must hold at a confidence that is corrected for the number of figures (Bonferroni).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from ailoop_otel.measure import Refusal
from ailoop_otel.measure.results.definitions import STABLE_SESSIONS
from ailoop_otel.measure.results.run import Run
from ailoop_otel.measure.statistics.estimates import figure_of
from ailoop_otel.measure.statistics.intervals import BLOCKS, CONFIDENCE
from ailoop_otel.measure.verdict import baseline as baselines
from ailoop_otel.measure.verdict import changes
from ailoop_otel.measure.verdict.baseline import load as load_baseline
from ailoop_otel.measure.verdict.changes import RULES, Change
from ailoop_otel.measure.verdict.decisions import against_baseline, against_target, inconclusive_on_other_machine
from ailoop_otel.measure.verdict.targets import VALUE, Targets, share
from ailoop_otel.measure.verdict.targets import load as load_targets
from ailoop_otel.measure.verdict.validity import validity_problems
from ailoop_otel.measure.verdict.verdict import Judged, Judgement, Verdict, overall

TOLERANCE: Final = 0.10

METHOD: Final = (
    f"95 % intervals: block bootstrap ({BLOCKS} blocks in order of time, expanded percentile interval) for times and "
    "rates, no narrower than Wilson's for shares, Theil-Sen with Sen's interval for slopes, MOVER for differences. "
    "Pass: the whole interval is within what is allowed. Fail: the whole interval is beyond it, at a confidence "
    "corrected for the number of figures (Bonferroni). A failure counts as infinitely slow."
)
PAIRED_METHOD: Final = (
    "95 % intervals: bootstrap over pairs of rounds (expanded percentile interval) of the mean change. Pass: the whole "
    "interval is within what is allowed. Fail: the whole interval is beyond it, at a confidence corrected for the "
    "number of figures (Bonferroni). A failure counts as infinitely slow."
)
_NUMBER: Final = re.compile(r"\d[\d,]*")
_FIRST: Final = "there is no baseline yet to compare with, so this run passes"
_ALONE: Final = "there is no baseline yet to compare with"
_TARGETS_ONLY: Final = "there is no baseline yet to compare with: this run is judged by its targets alone"


def judge(
    run: Run, baseline: Run | None = None, targets: Targets | None = None, tolerance: float = TOLERANCE
) -> Judgement:
    """Judge a run; without a baseline and targets it passes. `tolerance` is a share, which `targets` may override.

    Raises Refusal for a baseline of another scenario or with other units.
    """
    wanted = targets or Targets()
    if baseline is not None:
        baselines.check_comparable(baseline, run)
    changed = [] if baseline is None else _changes(run, baseline, wanted, tolerance)
    confidence = _corrected(len(changed) + len(wanted.targets))
    rows = [against_target(run, target, confidence) for target in wanted.targets]
    if baseline is None:
        return Judgement(
            tuple(rows), overall(row.verdict for row in rows), (_TARGETS_ONLY if rows else _FIRST,), METHOD
        )
    machine = baselines.other_machine(baseline.context, run.context)
    rows += [inconclusive_on_other_machine(against_baseline(each, confidence), machine) for each in changed]
    notes = [*baselines.differences(baseline.context, run.context), *_left_out(run, baseline, changed)]
    return _summed_up(rows, notes, METHOD, compared=bool(changed))


def judge_by_files(run: Run, baseline: str = "", targets: str = "", tolerance: str = "") -> Judgement:
    """Judge a run by the paths of a baseline and of targets, and by a tolerance as text (`10 %`); empty for none.

    A baseline that does not exist is left out. A load test that is not valid (`validity.py`) does not pass. Raises
    Refusal for a file or a tolerance that cannot be read.
    """
    before = load_baseline(baseline) if baseline else None
    wanted = load_targets(targets, run.context.scenario) if targets else None
    judgement = _with_own_validity(judge(run, before, wanted, share_of(tolerance)), run)
    if not baseline or before is not None:
        return judgement
    # The note must not begin with the path: its first letter is written as a capital.
    hint = f"the baseline {baseline} is not there yet: save this run there to compare the next with it"
    return replace(judgement, notes=(*judgement.notes, hint))


def _with_own_validity(judgement: Judgement, run: Run) -> Judgement:
    """Add the validity problems of the run, before all other notes."""
    found = list(validity_problems(run))
    if not found:
        return judgement
    notes = [_ALONE if note == _FIRST else note for note in judgement.notes]
    verdict = overall([judgement.verdict, *(each for each, _ in found)])
    return replace(judgement, verdict=verdict, notes=(*(reason for _, reason in found), *notes))


def with_validity_problems(judgement: Judgement, sides: Iterable[tuple[str, Run]]) -> Judgement:
    """Add the validity problems of the runs of A and B: those of A make the verdict inconclusive, those of B may fail.

    A problem that several runs of a side share is added once, with the numbers of the first run.
    """
    found: dict[str, tuple[Verdict, str]] = {}
    for side, run in sides:
        for verdict, reason in validity_problems(run):
            note = f"{side}: {reason}"
            found.setdefault(_NUMBER.sub("", note), (verdict if side == "B" else Verdict.INCONCLUSIVE, note))
    verdict = overall([judgement.verdict, *(each for each, _ in found.values())])
    return replace(judgement, verdict=verdict, notes=(*(note for _, note in found.values()), *judgement.notes))


def share_of(tolerance: str) -> float:
    """Read the option --tolerance as a share, empty for the default; raises Refusal for a text that is not valid."""
    try:
        return share(tolerance) if tolerance else TOLERANCE
    except ValueError as error:
        raise Refusal(f"--tolerance: {error}") from None


def judge_pairs(
    pairs: Sequence[tuple[Run, Run]], targets: Targets | None = None, tolerance: float = TOLERANCE
) -> Judgement:
    """Judge the second run of each pair by the first; the pairs were made in turns. `tolerance` is a share."""
    wanted = targets or Targets()
    found = [changes.paired(rule, pairs, wanted.tolerance(rule.definition.name, tolerance)) for rule in RULES]
    changed = [each for each in found if each is not None]
    rows = [against_baseline(each, _corrected(len(changed))) for each in changed]
    notes = list(baselines.differences(pairs[0][0].context, pairs[0][1].context)) if pairs else []
    return _summed_up(rows, notes, PAIRED_METHOD, compared=bool(changed))


def _changes(run: Run, baseline: Run, targets: Targets, tolerance: float) -> list[Change]:
    """The changes that can be compared: none under different loads, and none of samples too few for an interval."""
    rules = [rule for rule in RULES if rule.any_load or _same_load(run, baseline)]
    found = (changes.change(rule, run, baseline, targets.tolerance(rule.definition.name, tolerance)) for rule in rules)
    return [each for each in found if each is not None and not _few_samples(each)]


def _same_load(run: Run, baseline: Run) -> bool:
    """Whether both runs, if they searched for the largest stable number of sessions, held the same number."""
    held = [figure_of(each, STABLE_SESSIONS, VALUE) for each in (run, baseline)]
    return any(math.isnan(each) for each in held) or held[0] == held[1]


def _few_samples(found: Change) -> bool:
    return found.rule.definition.each == "sample" and bool(found.lacking)


def _summed_up(rows: list[Judged], notes: list[str], method: str, *, compared: bool) -> Judgement:
    verdict = overall(row.verdict for row in rows)
    if not compared:
        notes.append("the two have no figure in common that could be compared")
        verdict = Verdict.FAIL if verdict is Verdict.FAIL else Verdict.INCONCLUSIVE
    return Judgement(tuple(rows), verdict, tuple(notes), method)


def _left_out(run: Run, baseline: Run, changed: list[Change]) -> Iterator[str]:
    """Notes on the figures that could not be compared."""
    done = {each.rule for each in changed}
    if not _same_load(run, baseline):
        yield "the two runs held different numbers of sessions: nothing else that depends on the load is compared"
        done |= {rule for rule in RULES if not rule.any_load}
    for rule in RULES:
        if rule in done:
            continue
        before, now = (figure_of(each, rule.definition, rule.figure) for each in (baseline, run))
        name = rule.definition.name if rule.figure == VALUE else f"{rule.figure} of {rule.definition.name}"
        if math.isinf(before):
            yield f"{name} is not compared: in the baseline, failures reach it already"
        elif math.isnan(before) != math.isnan(now):
            where = "this run" if math.isnan(before) else "the baseline"
            yield f"{name} is not compared: it was observed in {where} only"
        elif rule.definition.each == "sample" and not math.isnan(before):
            yield f"{name} is not compared: the runs are too short for an interval of its samples"


def _corrected(judged: int) -> float:
    return 1 - (1 - CONFIDENCE) / max(1, judged)
