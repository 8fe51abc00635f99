"""The summary as Markdown, `summary.md`, for a pull request or a CI job's page.

Untrusted text is in code spans or escaped: it can make no link, mention no user and end no table.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from ailoop_otel.measure.report import levels, units, wording
from ailoop_otel.measure.report.contents import FIGURES, Report, Row
from ailoop_otel.measure.report.exchanges import WORST_RULE, trace_link
from ailoop_otel.measure.report.text import CODE, LONGEST_SENTENCE, plain, sentence
from ailoop_otel.measure.statistics.percentiles import METHOD
from ailoop_otel.measure.verdict.verdict import Judged, Verdict

_SIGNS: Final = {Verdict.PASS: "✅", Verdict.FAIL: "❌", Verdict.INCONCLUSIVE: "❔", Verdict.NOT_JUDGED: "➖"}
_SPECIAL: Final = re.compile(r"([\\`*_\[\]<>#|~$&])")
# What has a meaning only at the start of a line: a list and a numbered list.
_LEADING: Final = re.compile(r"^(\s*)(?:([-+])|(\d+)([.)]))")
# GitHub links URLs, mentions and issue numbers in plain text too; a comment inside them prevents that:
# https://docs.github.com/en/get-started/writing-on-github/working-with-advanced-formatting/autolinked-references-and-urls
_LINKING: Final = re.compile(r"(@|://|www|#(?=\d))")
# Characters of a comment that GitHub takes; a little less, as what it counts is not written down.
LONGEST_COMMENT: Final = 65_000
_FENCES: Final = re.compile(r"`+")


def render(report: Report) -> str:
    """Render the whole summary."""
    parts = (_headline, _notes, _judgement, _levels, _figures, _singles, _failures, _worst, _environment, _definitions)
    blocks = [block for part in parts if (block := "\n".join(part(report)))]
    whole = len(blocks)
    while sum(map(len, blocks)) + 2 * len(blocks) > LONGEST_COMMENT and len(blocks) > 1:
        blocks.pop()
    if len(blocks) < whole:
        blocks.append("*The rest is too long for a comment: it is in `report.html` and `summary.json`.*")
    return "\n\n".join(blocks) + "\n"


def code(text: object) -> str:
    """Untrusted text as a code span that no character in it can end."""
    shown = plain(text) or "(empty)"
    fence = "`" * (1 + max((len(run) for run in _FENCES.findall(shown)), default=0))
    pad = " " if shown.startswith("`") or shown.endswith("`") or not shown.strip() else ""
    return f"{fence}{pad}{shown}{pad}{fence}".replace("|", "\\|")


def prose(text: object) -> str:
    """Escape every character of a sentence that has a meaning in Markdown; what stands between backticks is code."""
    parts = CODE.split(plain(text, LONGEST_SENTENCE))
    joined = "".join(code(part) if number % 2 else _escaped(part) for number, part in enumerate(parts))
    return _LEADING.sub(lambda found: f"{found[1]}{found[3] or ''}\\{found[2] or found[4]}", joined)


def _escaped(text: str) -> str:
    return _LINKING.sub(r"\1<!-- -->", _SPECIAL.sub(r"\\\1", text))


def _headline(report: Report) -> Iterator[str]:
    yield f"## {prose(wording.title(report))}"
    yield ""
    if report.judgement:
        verdict = report.judgement.verdict
        yield f"**{_SIGNS[verdict]} {verdict.value.upper()}**: {prose(wording.verdict(report.judgement))}"
        yield ""
    yield f"{prose(wording.subject(report))} {prose(wording.headline(report))}"


def _notes(report: Report) -> Iterator[str]:
    if report.notes:
        yield "> [!NOTE]"
        yield from (f"> - {prose(note)}" for note in report.notes)


def _judgement(report: Report) -> Iterator[str]:
    if not report.judgement:
        return
    judgement = report.judgement
    if judgement.rows:
        yield "### Verdict"
        yield ""
        yield from _table(
            ("Verdict", "Metric", "Figure", "Value", "95 % interval", "Held against", "Change", "Reason"),
            [_judged(row) for row in judgement.rows],
            right=(3, 4, 5, 6),
        )
        yield ""
    yield from (f"- {prose(sentence(note))}" for note in wording.further_notes(judgement))
    if judgement.method and judgement.rows:
        yield ""
        yield f"<sub>{prose(judgement.method)}</sub>"


def _judged(row: Judged) -> Sequence[str]:
    text = wording.judged_text(row)
    return (
        f"{_SIGNS[row.verdict]} {row.verdict.value}",
        code(row.metric),
        row.figure,
        text.value,
        text.interval,
        text.limit,
        f"{text.change} ({text.change_interval})" if text.change_interval else text.change,
        prose(row.reason),
    )


def _levels(report: Report) -> Iterator[str]:
    if report.context.levels:
        yield "### Load curve"
        yield ""
        head = levels.head(report.context)
        shown = [(*cells, prose(why)) for *cells, why in levels.rows(report.context)]
        yield from _table(head, shown, right=range(len(head) - 2))
        yield ""
        yield f"<sub>{prose(levels.caption(report.context))}</sub>"


def _figures(report: Report) -> Iterator[str]:
    if not report.table:
        return
    yield "### Figures"
    yield ""
    head = ("Metric", "Unit", "n", "Failures", *FIGURES)
    yield from _table(head, [cells for row in report.table for cells in _row(row)], right=range(2, len(head)))
    yield ""
    yield f"<sub>{prose(wording.figures_caption(report))} {prose(METHOD)}</sub>"


def _row(row: Row) -> Iterator[Sequence[str]]:
    summary = row.summary
    name = f"{prose(row.definition.title)}{f': {code(row.label)}' if row.label else ''}"
    yield name, row.scale.name, units.count(summary.n), units.count(summary.failures), *row.numbers()
    if row.counts_failures:
        yield (
            "↳ failures as ∞",
            row.scale.name,
            units.count(summary.n + summary.failures),
            "",
            *(row.numbers_with_failures()),
        )


def _singles(report: Report) -> Iterator[str]:
    if report.singles:
        yield from _table(
            ("Of the whole run", "Value"),
            [(prose(row.title), row.scale.quantity(row.summary.mean)) for row in report.singles],
            right=(1,),
        )


def _failures(report: Report) -> Iterator[str]:
    yield "### Errors"
    yield ""
    yield prose(wording.failures_sentence(report))
    if report.failures:
        yield ""
        yield from _table(
            ("Kind", "Of", "Count", "Per 1,000"),
            [
                (code(kind.outcome), kind.what, units.count(kind.count), units.per_thousand(kind.per_thousand))
                for kind in report.failures
            ],
            right=(2, 3),
        )


def _worst(report: Report) -> Iterator[str]:
    if not report.worst:
        return
    yield "### Worst exchanges"
    yield ""
    rows = []
    for each in report.worst:
        text = wording.exchange_text(each)
        link = trace_link(report.context.jaeger, each.trace_id)
        trace = f"[{code(each.trace_id)}]({link})" if link else code(each.trace_id) if each.trace_id else units.NOTHING
        rows.append((text.number, text.session, text.at, code(each.outcome), *text.times, trace))
    yield from _table(
        ("Exchange", "Session", "Began after", "Outcome", *wording.exchange_heads(report), "Trace"),
        rows,
        right=(0, 1, 2, 4, 5, 6),
    )
    yield ""
    yield f"<sub>{prose(WORST_RULE)} {prose(wording.traces_hint(report))}</sub>".replace(" </sub>", "</sub>")


def _environment(report: Report) -> Iterator[str]:
    yield "<details><summary>Environment: machine, versions, settings</summary>"
    for title, entries in wording.environment(report.context):
        yield ""
        yield from _table((title, ""), [(code(name), code(value)) for name, value in entries])
    yield ""
    yield "</details>"


def _definitions(report: Report) -> Iterator[str]:
    yield "<details><summary>Definitions</summary>"
    yield ""
    for definition in wording.shown_definitions(report):
        unit = units.WORDS[definition.unit]
        yield f"- **{prose(definition.title)}** ({code(definition.name)}, in {unit}): {prose(definition.text)}"
    yield ""
    yield "</details>"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], right: Iterable[int] = ()) -> Iterator[str]:
    aligned = set(right)
    yield f"| {' | '.join(head)} |"
    yield f"|{'|'.join('---:' if place in aligned else '---' for place in range(len(head)))}|"
    for row in rows:
        yield f"| {' | '.join(row)} |"
