"""The report as one page."""

from __future__ import annotations

import math
import re

import pytest

from ailoop_otel.measure.report.digest import digest
from ailoop_otel.measure.report.page import document
from ailoop_otel.measure.results.run import Run
from tests.measure.report import hostile, sample
from tests.measure.report.reading import Page, page

LOADING = {
    "script",
    "link",
    "img",
    "iframe",
    "object",
    "embed",
    "image",
    "base",
    "form",
    "audio",
    "video",
    "foreignobject",
}


@pytest.fixture(scope="module")
def whole(html: str) -> Page:
    """The page of a run with everything, as a browser reads it."""
    return page(html)


def test_it_needs_no_network_and_no_script(whole: Page) -> None:
    """Nothing is loaded; where a link leads out, it leads to Jaeger."""
    assert not {name for name, _ in whole.elements} & LOADING
    leading = [link["href"] or "" for link in whole.named("a")]
    assert all(link.startswith(("#def-", "http://127.0.0.1:16686/trace/")) for link in leading)
    assert sum(link.startswith("http") for link in leading) == 10


def test_nothing_in_its_styles_is_loaded(html: str) -> None:
    """No url() but to what the page itself holds."""
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)", html))
    assert "@import" not in html


def test_every_id_is_there_once_and_every_reference_has_its_id(whole: Page) -> None:
    """Plots share a page without sharing names."""
    ids = [attributes["id"] for _, attributes in whole.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    wanted = {(attributes.get("href") or "")[1:] for _, attributes in whole.elements
              if (attributes.get("href") or "").startswith("#")}  # fmt: skip
    assert wanted <= set(ids)


def test_every_plot_says_in_words_what_it_shows(whole: Page) -> None:
    """For those who cannot see it, and it has a title and a caption."""
    pictures = whole.named("svg")
    assert len(pictures) > 8
    assert all(picture["role"] == "img" and picture["aria-label"] for picture in pictures)
    assert len(whole.named("figcaption")) == len(whole.named("figure"))


def test_hostile_strings_stay_text(whole: Page) -> None:
    """From every place that text can come from: they open no element, no attribute and no link."""
    known = {name for name, _ in whole.elements} | {"div", "small", "path", "code"}
    for run in (hostile.run(), hostile.steps()):
        html = document(digest(run, hostile.judgement()))
        found = page(html)
        assert {name for name, _ in found.elements} <= known
        assert not [name for _, attributes in found.elements for name in attributes if name.startswith("on")]
        assert all((link["href"] or "").startswith("#def-") for link in found.named("a"))
        assert hostile.SEEN in found.text
        assert "{{ 7 * 7 }}" in found.text
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202e]", html)


def test_a_trace_without_jaeger_is_an_id_to_copy() -> None:
    """With the command that shows it."""
    found = page(document(digest(sample.few(*[0.5] * 12, trace_id="ab" * 16))))
    assert [attributes.get("class") for attributes in found.named("span")].count("id") == 10
    assert "ailoop-otel traces --trace ID" in found.text


@pytest.mark.parametrize(
    ("run", "drawn"),
    [
        (sample.few(), 0), (sample.few(0.5), 1), (sample.few(math.nan), 0), (sample.few(*[math.nan] * 20), 0),
        (sample.few(*[math.nan] * 20, outcome="ai_timeout"), 1), (sample.few(0.0, 0.0), 2),
        (sample.few(-1.0, 1.0), 2), (sample.few(1e-9, 1e6), 2), (sample.few(math.inf, 1.0), 2), (sample.mixed(1), 4),
    ],
    ids=["nothing", "one", "one NaN", "only NaN", "all failed", "zero", "negative", "far apart", "infinite", "little"],
)  # fmt: skip
def test_thin_data_makes_a_page_all_the_same(run: Run, drawn: int) -> None:
    """Plots are drawn where there is something to draw; warnings of the drawing library are errors here."""
    found = page(document(digest(run)))
    assert len(found.named("figure")) == drawn
    assert "nan" not in found.text.replace("nanoseconds", "").lower()


def test_the_same_run_makes_the_same_page() -> None:
    """So that two reports can be compared, and kept under version control."""
    run = sample.few(0.1, 0.5, 0.2)
    assert document(digest(run)) == document(digest(run))
