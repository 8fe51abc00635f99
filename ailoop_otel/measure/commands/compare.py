"""The command `compare`: each figure of two runs, its change with the confidence interval, and the verdict."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from typing import Any, Final

from rich.box import SIMPLE_HEAD
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from ailoop_otel.measure import Refusal
from ailoop_otel.measure.commands.options import CompareOptions
from ailoop_otel.measure.report.ci import annotate
from ailoop_otel.measure.report.markdown import prose
from ailoop_otel.measure.report.summary_json import strict
from ailoop_otel.measure.report.terminal import SIGNS, STYLES
from ailoop_otel.measure.report.text import plain, sentence
from ailoop_otel.measure.results.quantities import between, percent, shown, signed
from ailoop_otel.measure.results.run import Context, Run, pooled
from ailoop_otel.measure.verdict import baseline, judge
from ailoop_otel.measure.verdict.baseline import load as load_baseline
from ailoop_otel.measure.verdict.targets import VALUE
from ailoop_otel.measure.verdict.targets import load as load_targets
from ailoop_otel.measure.verdict.verdict import Judged, Judgement, Verdict
from ailoop_otel.terminal import in_ascii

_WIDE: Final = 100


def run(options: CompareOptions, console: Console) -> int:
    """Print how two runs differ and return the exit code; raises Refusal for what cannot be read or compared."""
    earlier, later = _runs(options.before), _runs(options.after)
    before, after = pooled(earlier), pooled(later)
    wanted = load_targets(options.targets, after.context.scenario) if options.targets else None
    judgement = judge.judge(later, earlier, wanted, judge.share_of(options.tolerance))
    # A saved baseline holds only what is compared, too little to check whether its run was valid.
    complete = [
        (side, each)
        for side, place, runs in (("A", options.before, earlier), ("B", options.after, later))
        if os.path.isdir(place)
        for each in runs
    ]
    judgement = judge.with_validity_problems(labelled(judgement, before.context, after.context), complete)
    if options.json:
        console.file.write(written(judgement, before.context, after.context))
    else:
        show(judgement, _title(options, after.context), console)
    annotate(judgement)
    return judgement.exit_code(strict=options.strict)


def labelled(judgement: Judgement, before: Context, after: Context) -> Judgement:
    """Add the notes of both runs to the judgement, each with the side it is about."""
    known = {*map(baseline.baseline_note, before.notes), *after.notes}
    sides = {note: "A and B" if note in after.notes else "A" for note in before.notes}
    sides |= {note: "B" for note in after.notes if note not in sides}
    notes = [note for note in judgement.notes if note not in known]
    return replace(judgement, notes=(*notes, *(f"{side}: {note}" for note, side in sides.items())))


def show(judgement: Judgement, title: str, console: Console) -> None:
    """Print a judgement of two runs (or two servers) called A and B."""
    for part in _page(judgement, title, wide=console.width >= _WIDE):
        console.print(in_ascii(part, console.width) if console.options.ascii_only else part)


def written(judgement: Judgement, before: Context, after: Context) -> str:
    """Format a judgement as strict JSON: null for NaN, "+inf" for infinity."""
    document: dict[str, Any] = {
        "kind": "judgement",
        "verdict": judgement.verdict,
        "summary": conclusion(judgement),
        "rows": [asdict(row) | {"against": row.against} for row in judgement.rows],
        "notes": judgement.notes,
        "method": judgement.method,
        "before": asdict(before),
        "after": asdict(after),
    }
    return json.dumps(strict(document), indent=1) + "\n"


def markdown(judgement: Judgement, title: str) -> str:
    """Format a judgement as markdown, for a pull request."""
    heads = ("", "Figure", "A", "B", "Change", "95 % interval", "Allowed")
    lines = [
        f"## {prose(title)}",
        "",
        f"**{SIGNS[judgement.verdict]} {judgement.verdict.value.upper()}**: {prose(conclusion(judgement))}",
        "",
        f"| {' | '.join(heads)} |",
        f"|---|---|{'---:|' * (len(heads) - 2)}",
    ]
    for row in judgement.rows:
        cells = (SIGNS[row.verdict], _name(row), *_against_baseline(row))
        lines.append(f"| {' | '.join(map(prose, cells))} |")
    unsure = [f"{_name(row)}: {row.reason}" for row in judgement.rows if row.verdict is not Verdict.PASS]
    lines += ["", *(f"- {prose(reason)}" for reason in (*unsure, *judgement.notes)), "", prose(judgement.method)]
    return "\n".join(lines) + "\n"


def conclusion(judgement: Judgement) -> str:
    """The verdict as a sentence."""
    rows = judgement.rows
    worse = [_name(row) for row in rows if row.verdict is Verdict.FAIL]
    unsure = [_name(row) for row in rows if row.verdict is Verdict.INCONCLUSIVE]
    if judgement.verdict is Verdict.FAIL:
        return f"B is worse than allowed: {', '.join(worse)}." if worse else sentence(judgement.notes[0])
    if judgement.verdict is Verdict.PASS:
        return f"B is as good as A: {'the figure is' if len(rows) == 1 else f'all {len(rows)} figures are'} as allowed."
    if unsure:
        return f"The data cannot tell: {', '.join(unsure)}."
    return sentence(judgement.notes[0]) if rows else "There was nothing to compare."


def _runs(place: str) -> list[Run]:
    found = load_baseline(place)
    if found is None:
        raise Refusal(f"{place} is not there: give a run directory that `ailoop-otel measure` wrote")
    return found


def _title(options: CompareOptions, context: Context) -> str:
    return f"{plain(context.scenario, 80)}: A is {options.before}, B is {options.after}"


def _page(judgement: Judgement, title: str, *, wide: bool) -> Iterator[RenderableType]:
    yield Text(title, "bold")
    compared = [row for row in judgement.rows if row.target is None]
    if compared:
        heads = ("A", "B", "Change", "95 % interval", *(("Allowed",) if wide else ()))
        yield _table(heads, compared, _against_baseline)
    held = [row for row in judgement.rows if row.target is not None]
    if held:
        yield _table(("B", "95 % interval", "Target"), held, _against_target)
    for row in judgement.rows:
        if row.verdict is not Verdict.PASS:
            yield Text(f"{_name(row)}: {row.reason}", STYLES[row.verdict])
    yield from (Text(f"• {plain(note, 1000)}") for note in judgement.notes)
    yield Text(judgement.method, "dim")
    sign = f"{SIGNS[judgement.verdict]} {judgement.verdict.value.upper()}"
    yield Text(sign, f"bold {STYLES[judgement.verdict]}").append(f"  {conclusion(judgement)}", "not bold default")


def _table(heads: Sequence[str], rows: Iterable[Judged], cells: Callable[[Judged], Sequence[str]]) -> Table:
    table = Table(
        box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim", border_style="dim"
    )
    table.add_column("", min_width=1, no_wrap=True)
    table.add_column("Figure", no_wrap=True)
    for name in heads:
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        sign = Text(SIGNS[row.verdict], STYLES[row.verdict])
        table.add_row(sign, _name(row), *(_short(cell) for cell in cells(row)[: len(heads)]))
    return table


def _short(cell: str) -> str:
    return cell.replace(" messages/s", "/s").replace(" per 1,000", "/1,000")


def _against_target(row: Judged) -> Sequence[str]:
    limit = math.nan if row.target is None else row.target
    held = f"{'≥' if row.at_least else '≤'} {shown(limit, row.metric)}"
    return shown(row.value, row.metric), between(row.low, row.high, row.metric), held


def _against_baseline(row: Judged) -> Sequence[str]:
    reference, allowed, low, high = (
        math.nan if value is None else value for value in (row.reference, row.allowed, row.change_low, row.change_high)
    )
    both = (shown(reference, row.metric), shown(row.value, row.metric))
    if row.change is None:
        return *both, signed(row.value - reference, row.metric), "", shown(allowed, row.metric)
    interval = "–" if math.isnan(low) else f"{percent(low)} to {percent(high)}"
    return *both, percent(row.change), interval, percent(allowed).lstrip("+±")


def _name(row: Judged) -> str:
    return row.metric if row.figure == VALUE else f"{row.metric} {row.figure}"
