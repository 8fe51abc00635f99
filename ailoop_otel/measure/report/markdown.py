"""The summary as markdown, `summary.md`: fit to be pasted into a pull request.

Text from outside stands in code spans or is escaped; it can make no link, mention nobody and close no table.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from ailoop_otel.measure.report import facts, units
from ailoop_otel.measure.report.digest import FIGURES, Digest, Row
from ailoop_otel.measure.report.outside import plain
from ailoop_otel.measure.report.worst import RULE, address
from ailoop_otel.measure.statistics.percentiles import METHOD
from ailoop_otel.measure.verdict.verdict import Judged, Verdict

_SIGNS: Final = {Verdict.PASS: "✅", Verdict.FAIL: "❌", Verdict.INCONCLUSIVE: "❔"}
_SPECIAL: Final = re.compile(r"([\\`*_\[\]<>#|~$&])")
# What means something only where a line begins: a list, and a numbered one.
_LEADING: Final = re.compile(r"^(\s*)(?:([-+])|(\d+)([.)]))")
# What GitHub makes a link or a mention of, without any markdown: a comment between its signs undoes that.
_LINKING: Final = re.compile(r"(@|://|www|#(?=\d))")
_CODE: Final = re.compile(r"`([^`]+)`")
_FENCES: Final = re.compile(r"`+")


def document(digest: Digest) -> str:
    """Write the whole summary."""
    parts = (_headline, _notes, _judgement, _figures, _singles, _errors, _worst, _environment, _definitions)
    blocks = ("\n".join(part(digest)) for part in parts)
    return "\n\n".join(block for block in blocks if block) + "\n"


def code(text: object) -> str:
    """Text from outside as a code span, which nothing in it can end."""
    shown = plain(text) or "(empty)"
    fence = "`" * (1 + max((len(run) for run in _FENCES.findall(shown)), default=0))
    pad = " " if shown.startswith("`") or shown.endswith("`") or not shown.strip() else ""
    return f"{fence}{pad}{shown}{pad}{fence}".replace("|", "\\|")


def prose(text: object) -> str:
    """A sentence with every sign escaped that would mean something; what stands in backticks is code."""
    parts = _CODE.split(plain(text, 2000))
    joined = "".join(code(part) if number % 2 else _escaped(part) for number, part in enumerate(parts))
    return _LEADING.sub(lambda found: f"{found[1]}{found[3] or ''}\\{found[2] or found[4]}", joined)


def _escaped(text: str) -> str:
    return _LINKING.sub(r"\1<!-- -->", _SPECIAL.sub(r"\\\1", text))


def _headline(digest: Digest) -> Iterator[str]:
    yield f"## {prose(facts.title(digest))}"
    yield ""
    if digest.judgement:
        verdict = digest.judgement.verdict
        yield f"**{_SIGNS[verdict]} {verdict.value.upper()}**: {prose(facts.verdict(digest.judgement))}"
        yield ""
    yield f"{prose(facts.subject(digest))} {prose(facts.headline(digest))}"


def _notes(digest: Digest) -> Iterator[str]:
    if digest.notes:
        yield "> [!NOTE]"
        yield from (f"> - {prose(note)}" for note in digest.notes)


def _judgement(digest: Digest) -> Iterator[str]:
    if not digest.judgement:
        return
    judgement = digest.judgement
    if judgement.rows:
        yield "### Verdict"
        yield ""
        yield from _table(
            ("Verdict", "Metric", "Figure", "Value", "95 % interval", "Held against", "Change", "Reason"),
            [_judged(row, digest) for row in judgement.rows],
            right=(3, 4, 5, 6),
        )
        yield ""
    yield from (f"- {prose(facts.sentence(note))}" for note in facts.further(judgement))
    if judgement.method and judgement.rows:
        yield ""
        yield f"<sub>{prose(judgement.method)}</sub>"


def _judged(row: Judged, digest: Digest) -> Sequence[str]:
    told = facts.judged(row, digest)
    return (
        f"{_SIGNS[row.verdict]} {row.verdict.value}",
        code(row.metric),
        row.figure,
        told.value,
        told.interval,
        told.limit,
        f"{told.change} ({told.change_interval})" if told.change_interval else told.change,
        prose(row.reason),
    )


def _figures(digest: Digest) -> Iterator[str]:
    if not digest.table:
        return
    yield "### Figures"
    yield ""
    head = ("Metric", "Unit", "n", "Failures", *FIGURES)
    yield from _table(head, [cells for row in digest.table for cells in _row(row)], right=range(2, len(head)))
    yield ""
    yield f"<sub>{prose(facts.figures_caption(digest))} {prose(METHOD)}</sub>"


def _row(row: Row) -> Iterator[Sequence[str]]:
    summary = row.summary
    name = f"{prose(row.definition.title)}{f': {code(row.label)}' if row.label else ''}"
    yield name, row.scale.name, units.count(summary.n), units.count(summary.failures), *row.numbers()
    if row.inside:
        yield (
            "↳ failures as ∞",
            row.scale.name,
            units.count(summary.n + summary.failures),
            "",
            *(row.numbers_with_failures()),
        )


def _singles(digest: Digest) -> Iterator[str]:
    if digest.singles:
        yield from _table(
            ("Of the whole run", "Value"),
            [(prose(row.title), row.scale.quantity(row.summary.mean)) for row in digest.singles],
            right=(1,),
        )


def _errors(digest: Digest) -> Iterator[str]:
    yield "### Errors"
    yield ""
    yield prose(facts.errors(digest))
    if digest.errors:
        yield ""
        yield from _table(
            ("Kind", "Of", "Count", "Per 1,000"),
            [
                (code(kind.outcome), kind.what, units.count(kind.count), units.per_thousand(kind.per_thousand))
                for kind in digest.errors
            ],
            right=(2, 3),
        )


def _worst(digest: Digest) -> Iterator[str]:
    if not digest.worst:
        return
    yield "### Worst exchanges"
    yield ""
    rows = []
    for each in digest.worst:
        told = facts.exchange(each)
        link = address(digest.context.jaeger, each.trace_id)
        trace = f"[{code(each.trace_id)}]({link})" if link else code(each.trace_id) if each.trace_id else units.NOTHING
        rows.append((told.number, told.session, told.at, code(each.outcome), *told.times, trace))
    yield from _table(
        ("Exchange", "Session", "Began after", "Outcome", *facts.exchange_heads(digest), "Trace"),
        rows,
        right=(0, 1, 2, 4, 5, 6),
    )
    yield ""
    yield f"<sub>{prose(RULE)} {prose(facts.traces_hint(digest))}</sub>".replace(" </sub>", "</sub>")


def _environment(digest: Digest) -> Iterator[str]:
    yield "<details><summary>Environment: machine, versions, settings</summary>"
    for title, entries in facts.environment(digest.context):
        yield ""
        yield from _table((title, ""), [(code(name), code(value)) for name, value in entries])
    yield ""
    yield "</details>"


def _definitions(digest: Digest) -> Iterator[str]:
    yield "<details><summary>Definitions</summary>"
    yield ""
    for definition in facts.definitions(digest):
        unit = facts.unit(definition)
        yield f"- **{prose(definition.title)}** ({code(definition.name)}, in {unit}): {prose(definition.text)}"
    yield ""
    yield "</details>"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], right: Iterable[int] = ()) -> Iterator[str]:
    aligned = set(right)
    yield f"| {' | '.join(head)} |"
    yield f"|{'|'.join('---:' if place in aligned else '---' for place in range(len(head)))}|"
    for row in rows:
        yield f"| {' | '.join(row)} |"
