"""The tables of a report as data."""

from __future__ import annotations

import io
import itertools

from rich.console import Console

from ailoop_otel.measure.report import markdown, tables, terminal
from ailoop_otel.measure.report.contents import Report, build_report
from ailoop_otel.measure.results.run import Run
from tests.measure.report import hostile, sample

TABLES = (tables.judged, tables.figures, tables.singles, tables.errors, tables.worst)


def test_each_line_has_a_cell_for_each_column(everything: Report) -> None:
    """Of every table, also of a run in which every text is hostile."""
    for report in (everything, build_report(hostile.run(), hostile.judgement())):
        for table in (make(report) for make in TABLES):
            assert {len(line.cells) for line in table.lines} <= {len(table.columns)}
            assert all(line.cells for line in table.lines)


def test_a_report_of_nothing_has_no_lines() -> None:
    """And says so where it matters."""
    report = build_report(sample.few())
    assert not [line for make in TABLES for line in make(report).lines]
    assert tables.errors(report).lead == ("No message to an AI was followed to its answer.",)


def test_the_line_with_failures_counts_all_of_them_in_each_format() -> None:
    """Its n is that of the line above and its failures."""
    report = build_report(sample.few(0.1, 0.2, 0.3))
    assert [line.kind for line in tables.figures(report).lines] == [""]
    failed = [row._replace(exchange=9, outcome="cut") for row in sample.few(0.4, outcome="cut").observations]
    report = build_report(Run(report.run.context, [*report.run.observations, *failed]))
    whole, inside = tables.figures(report).lines
    assert [whole.cells[place].text for place in (2, 3)] == ["3", "1"]
    assert (inside.kind, inside.cells[2].text) == (tables.FAILURES, "4")
    output = io.StringIO()
    terminal.show(report, Console(file=output, width=80))
    (line,) = (line for line in output.getvalue().splitlines() if line.startswith("failures as ∞"))
    assert line.split()[3:5] == ["ms", "4"]
    assert "| ↳ failures as ∞ | ms | 4 |" in markdown.render(report)


def test_a_line_with_failures_names_the_part_that_it_belongs_to() -> None:
    """The terminal, which shows no parts, shows the metric's own only."""
    kinds = itertools.product(("plain", "tool"), ("ok", "cut"))
    rows = [
        row._replace(label=label, exchange=exchange, outcome=outcome)
        for exchange, (label, outcome) in enumerate(kinds)
        for row in sample.few(0.1).observations
    ]
    report = build_report(Run(sample.few().context, rows))
    inside = [(line.kind, line.cells[0].text + line.cells[0].name) for line in tables.figures(report).lines[1::2]]
    assert inside == [
        (tables.FAILURES, "failures as ∞"),
        (tables.FAILURES_OF_PART, "failures as ∞: plain"),
        (tables.FAILURES_OF_PART, "failures as ∞: tool"),
    ]
    output = io.StringIO()
    terminal.show(report, Console(file=output, width=80))
    assert output.getvalue().count("failures as ∞") == 1
    assert "| ↳ failures as ∞: `tool` | ms | 2 |" in markdown.render(report)
