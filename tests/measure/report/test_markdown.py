"""The summary as Markdown."""

from __future__ import annotations

import re
from dataclasses import replace

from hypothesis import example, given
from hypothesis import strategies as st

from ailoop_otel.measure.report.contents import build_report
from ailoop_otel.measure.report.markdown import code, prose, render
from ailoop_otel.measure.report.text import plain
from tests.measure.report import hostile, sample
from tests.measure.report.reading import page, rendered

ALLOWED = {"p", "strong", "em", "table", "thead", "tbody", "tr", "th", "td", "code", "ul", "li", "blockquote", "sub",
           "details", "summary", "h2", "h3", "a", "br"}  # fmt: skip
TEXTS = st.text(st.characters(blacklist_categories=("Cs", "Co", "Cn")), max_size=60)


def cell(markdown: str) -> str:
    """The cell of a table that contains some Markdown."""
    found = page(rendered(f"| a | b |\n|---|---|\n| {markdown} | end |\n"))
    assert found.tables[0][1][1:] == ["end"]
    assert {name for name, _ in found.elements} <= {"table", "thead", "tbody", "tr", "th", "td", "code"}
    return found.tables[0][1][0]


def same(text: str) -> str:
    """A text without white space and replaced characters, which renderers change."""
    return re.sub(r"\s+", "", text).replace("\ufffd", "").replace("\x00", "")


@given(TEXTS)
@example("| ` `` ``` |")
@example("<img src=x> [a](b) ![c](d) **e** ~~f~~ &amp; \\| \\")
def test_any_sentence_stays_text(text: str) -> None:
    """In a table it makes no element but code, ends no cell and keeps its characters."""
    shown = cell(prose(text))
    assert same(shown).replace("`", "") == same(plain(text)).replace("`", "")


@given(TEXTS)
@example("`")
@example(" `` | ` ")
@example("\\|")
def test_any_name_is_one_span_of_code(text: str) -> None:
    """No character in it ends the span."""
    shown = cell(code(text))
    assert same(shown) == same(plain(text)) or not plain(text)


def test_a_line_that_looks_like_a_list_is_a_sentence() -> None:
    """At the start of a line too."""
    for text in ("- a", "+ b", "1. c", "12) d", "# e", "> f", "| g"):
        assert "<p>" in rendered(prose(text))


def test_hostile_strings_stay_text() -> None:
    """In every place that shows untrusted text: they make no element, no link and no mention."""
    markdown = render(build_report(hostile.run(), hostile.judgement()))
    found = page(rendered(markdown))
    assert {name for name, _ in found.elements} <= ALLOWED
    assert not found.named("a")
    assert hostile.SEEN in found.text
    outside_of_code = re.sub(r"<code>.*?</code>", "", rendered(markdown))
    assert not re.search(r"@octocat|#1\b|https://evil|www\.", outside_of_code)


def test_every_table_keeps_its_columns() -> None:
    """All rows of a table have as many cells as its head, also with hostile names."""
    for run, judgement in ((sample.mixed(80), sample.judgement()), (hostile.run(), hostile.judgement())):
        for table in page(rendered(render(build_report(run, judgement)))).tables:
            assert len({len(row) for row in table}) == 1


def test_traces_are_links_into_jaeger() -> None:
    """If its address is known; else the id is shown with the command for it."""
    run = sample.mixed(80)
    links = page(rendered(render(build_report(run)))).named("a")
    assert len(links) == 10
    assert all((link["href"] or "").startswith("http://127.0.0.1:16686/trace/") for link in links)
    alone = render(build_report(sample.relabelled(run, jaeger="")))
    assert "`ailoop-otel traces --trace ID`" in alone
    assert not page(rendered(alone)).named("a")


def test_the_verdict_stands_first() -> None:
    """Before notes and tables, in bold."""
    lines = render(build_report(sample.mixed(80), sample.judgement())).splitlines()
    assert lines[0] == "## AILoop performance: mixed"
    assert lines[2].startswith("**❌ FAIL**: 5 figures judged: 2 passed, 2 failed, 1 inconclusive")


def test_it_fits_a_comment_of_a_pull_request() -> None:
    """Whatever the run holds: what comes last is left out, and it says so."""
    run, judgement = sample.mixed(80), sample.judgement()
    rows = tuple(replace(row, reason="so " * 600) for row in judgement.rows * 10)
    long = render(build_report(run, replace(judgement, rows=rows)))
    assert len(long) < 65_536
    assert "**❌ FAIL**: 50 figures judged" in long
    assert long.endswith("it is in `report.html` and `summary.json`.*\n")
    assert "too long for a comment" not in render(build_report(run, judgement))
