"""The words that all formats share."""

from __future__ import annotations

import math
from dataclasses import replace

from ailoop_otel.measure.report import tables, wording
from ailoop_otel.measure.report.contents import build_report
from ailoop_otel.measure.results.run import Context, Run
from tests.measure.report import sample


def test_the_caption_counts_what_never_came() -> None:
    """An answer without a chunk that did not fail is in no figure."""
    found = build_report(sample.few(0.5, math.nan, math.nan))
    assert found.rows[0].summary.n == 1
    assert "Message to first AI chunk, 2 times" in wording.figures_caption(found)


def test_a_judged_figure_is_printed_in_its_metrics_scale() -> None:
    """So that the table of figures and the verdict show the same number."""
    for value in (0.01, 1.5):
        row = replace(sample.judgement().rows[0], value=value)
        found = build_report(sample.few(value), replace(sample.judgement(), rows=(row,)))
        (judged,), (shown,) = tables.judged(found).lines, tables.figures(found).lines
        assert [cell.text for cell in judged.cells[2:4]] == [shown.cells[1].text, shown.cells[5].text]
        assert judged.cells[5].text == "target 2,000"


def test_the_headline_leaves_out_what_was_not_measured() -> None:
    """No exchange, no share of failures; nothing at all is said as such."""
    assert wording.headline(build_report(Run(Context("empty"), []))) == "Nothing was observed."
    assert (
        wording.headline(build_report(sample.few(0.5, 0.5))) == "2 exchanges, 0 % failed; First AI chunk, p95 500 ms."
    )
    assert wording.headline(build_report(sample.few(math.nan, outcome="cut"))) == "1 exchange, 100 % failed."


def test_memory_of_the_machine_has_a_unit() -> None:
    """It is measured in bytes."""
    groups = dict(wording.environment(sample.CONTEXT))
    assert ("memory", "33.6 GB") in groups["Machine"]
