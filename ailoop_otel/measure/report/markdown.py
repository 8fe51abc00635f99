"""The summary as Markdown, `summary.md`, for a pull request or a CI job's page.

Untrusted text is in code spans or escaped: it can make no link, mention no user and end no table.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from ailoop_otel.measure.report import tables, wording
from ailoop_otel.measure.report.contents import Report
from ailoop_otel.measure.report.tables import FAILURES, FAILURES_OF_PART, Cell, Table
from ailoop_otel.measure.report.text import CODE, LONGEST_SENTENCE, plain
from ailoop_otel.measure.results.definitions import UNITS

_SIGNS: Final = {"pass": "✅", "fail": "❌", "inconclusive": "❔", "not judged": "➖"}
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
    contents = (tables.judged, tables.load_curve, tables.figures, tables.singles, tables.errors, tables.worst)
    parts = [_headline(report), _notes(report), *(_table(table(report)) for table in contents),
             _environment(report), _definitions(report)]  # fmt: skip
    blocks = [block for part in parts if (block := "\n".join(part))]
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
        yield f"**{_SIGNS[verdict.value]} {verdict.value.upper()}**: {prose(wording.verdict(report.judgement))}"
        yield ""
    yield f"{prose(wording.subject(report))} {prose(wording.headline(report))}"


def _notes(report: Report) -> Iterator[str]:
    if report.notes:
        yield "> [!NOTE]"
        yield from (f"> - {prose(note)}" for note in report.notes)


def _table(table: Table) -> Iterator[str]:
    if table.lines or table.lead:
        yield f"### {table.title}"
    if table.lead:
        yield ""
        yield from (f"{'- ' if len(table.lead) > 1 else ''}{prose(each)}" for each in table.lead)
    if table.lines:
        reasons = any(line.reason for line in table.lines)
        heads = [column.head for column in table.columns] + ["Reason"] * reasons
        yield f"\n| {' | '.join(heads)} |"
        yield f"|{'|'.join('---:' if column.number else '---' for column in table.columns)}|{'---|' * reasons}"
        for line in table.lines:
            cells = [*map(_cell, line.cells), *([prose(line.reason)] if reasons else [])]
            yield f"| {'↳ ' if line.kind in (FAILURES, FAILURES_OF_PART) else ''}{' | '.join(cells)} |"
        if table.captions:
            yield f"\n<sub>{' '.join(map(prose, table.captions))}</sub>"


def _cell(cell: Cell) -> str:
    name = code(cell.name) if cell.name else ""
    name = f"[{name}]({cell.link})" if cell.link.startswith("http") else name
    return f"{_SIGNS[cell.tone]} {cell.text}" if cell.tone in _SIGNS else f"{_escaped(cell.text)}{name}"


def _environment(report: Report) -> Iterator[str]:
    yield "<details><summary>Environment: machine, versions, settings</summary>"
    for title, entries in wording.environment(report.context):
        yield f"\n| {title} |  |\n|---|---|"
        yield from (f"| {code(name)} | {code(value)} |" for name, value in entries)
    yield "\n</details>"


def _definitions(report: Report) -> Iterator[str]:
    yield "<details><summary>Definitions</summary>\n"
    for definition in wording.shown_definitions(report):
        unit = UNITS[definition.unit].words
        yield f"- **{prose(definition.title)}** ({code(definition.name)}, in {unit}): {prose(definition.text)}"
    yield "\n</details>"
