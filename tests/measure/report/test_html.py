"""The report as one page."""

from __future__ import annotations

import json
import math
import re
from base64 import b64encode
from dataclasses import replace
from hashlib import sha256
from itertools import product

import pytest

from ailoop_otel.measure.report.contents import build_report
from ailoop_otel.measure.report.html import WIDTH, interval_drawing, render
from ailoop_otel.measure.results.run import Context, Run
from ailoop_otel.measure.verdict.verdict import Judged, Verdict
from tests.measure.report import hostile, sample
from tests.measure.report.reading import Page, page

LOADING = {
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
PASSED, SLOWER, INFINITE, FEWER, BARE = sample.judgement().rows


@pytest.fixture(scope="module")
def whole(html: str) -> Page:
    """The page of a run with everything, as a browser reads it."""
    return page(html)


def test_it_needs_no_network(whole: Page) -> None:
    """Nothing is loaded; the only external links lead to Jaeger."""
    assert not {name for name, _ in whole.elements} & LOADING
    assert not [attributes for attributes in whole.named("script") if "src" in attributes]
    leading = [link["href"] or "" for link in whole.named("a")]
    assert all(link.startswith(("#def-", "http://127.0.0.1:16686/trace/")) for link in leading)
    assert sum(link.startswith("http") for link in leading) == 10


def test_nothing_in_its_styles_is_loaded(html: str) -> None:
    """Each url() refers to an element of the page."""
    styles = re.sub(r"<script>.*?</script>", "", html, flags=re.DOTALL)
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)", styles))
    assert "@import" not in styles


def test_only_its_own_scripts_may_run(html: str) -> None:
    """The policy names the digest of each, so that one that got in some other way would not run."""
    scripts = re.findall(r"<script>(.*?)</script>", html, flags=re.DOTALL)
    assert len(scripts) == 2
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)
    assert policy
    digests = " ".join(f"'sha256-{b64encode(sha256(each.encode()).digest()).decode()}'" for each in scripts)
    assert policy[1] == f"default-src 'none'; style-src 'unsafe-inline'; script-src {digests}"


def test_a_page_without_plots_has_no_script() -> None:
    """Nothing was observed that could be drawn."""
    assert "<script" not in render(build_report(Run(Context("none"), [])))


def test_every_id_is_there_once_and_every_reference_has_its_id(whole: Page) -> None:
    """The ids of the plots do not collide."""
    ids = [attributes["id"] for _, attributes in whole.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    wanted = {(attributes.get("href") or "")[1:] for _, attributes in whole.elements
              if (attributes.get("href") or "").startswith("#")}  # fmt: skip
    assert wanted <= set(ids)


def test_every_plot_has_a_description(whole: Page) -> None:
    """For readers who cannot see it; and a caption."""
    pictures = whole.named("svg")
    assert len(pictures) > 8
    assert all(picture["role"] == "img" and picture["aria-label"] for picture in pictures)
    assert len(whole.named("figcaption")) == len(whole.named("figure"))


def test_hostile_strings_stay_text(whole: Page) -> None:
    """In every place that shows untrusted text: they make no element, no attribute and no link."""
    known = {name for name, _ in whole.elements} | {"div", "small", "path", "code", "script"}
    for run in (hostile.run(), hostile.steps()):
        html = render(build_report(run, hostile.judgement()))
        found = page(html)
        assert {name for name, _ in found.elements} <= known
        assert not [name for _, attributes in found.elements for name in attributes if name.startswith("on")]
        assert all((link["href"] or "").startswith("#def-") for link in found.named("a"))
        assert hostile.SEEN in found.text
        assert "{{ 7 * 7 }}" in found.text
        assert not re.search(
            r"[\x00-\x09\x0b-\x1f\x7f\u202e]", re.sub(r"<script>.*?</script>", "", html, flags=re.DOTALL)
        )
        for data in re.findall(r'<script type="application/json">(.*?)</script>', html, flags=re.DOTALL):
            assert json.loads(data)
            assert not set("<>&'\u2028\u2029") & set(data)


def test_what_could_end_a_script_or_its_text_is_escaped() -> None:
    """A closing tag, separators that JavaScript once took for ends of lines, half of a surrogate pair."""
    html = render(build_report(sample.few(0.1, 0.2, outcome="</script><!--\u2028\u2029\ud800")))
    (data, *_) = re.findall(r'<script type="application/json">(.*?)</script>', html, flags=re.DOTALL)
    assert json.loads(data)
    assert "<!--" not in html
    assert html.encode()


def test_a_trace_without_jaeger_is_an_id_to_copy() -> None:
    """Beside the command that shows it."""
    found = page(render(build_report(sample.few(*[0.5] * 12, trace_id="ab" * 16))))
    assert [row[-1] for table in found.tables for row in table].count("ab" * 16) == 10
    assert "ailoop-otel traces --trace ID" in found.text


@pytest.mark.parametrize(
    ("run", "drawn"),
    [
        (sample.few(), 0), (sample.few(0.5), 1), (sample.few(math.nan), 0), (sample.few(*[math.nan] * 20), 0),
        (sample.few(*[math.nan] * 20, outcome="ai_timeout"), 1), (sample.few(0.0, 0.0), 2),
        (sample.few(-1.0, 1.0), 2), (sample.few(1e-9, 1e6), 2), (sample.few(math.inf, 1.0), 2), (sample.mixed(1), 5),
    ],
    ids=["nothing", "one", "one NaN", "only NaN", "all failed", "zero", "negative", "far apart", "infinite", "little"],
)  # fmt: skip
def test_thin_data_makes_a_page_all_the_same(run: Run, drawn: int) -> None:
    """A plot is drawn if there is something to draw; a warning of the drawing library fails the test."""
    found = page(render(build_report(run)))
    assert len(found.named("figure")) == drawn
    assert "nan" not in found.text.replace("nanoseconds", "").lower()


def test_the_same_run_makes_the_same_page() -> None:
    """So that two reports can be compared, and kept under version control."""
    run = sample.few(0.1, 0.5, 0.2)
    assert render(build_report(run)) == render(build_report(run))


def test_a_figure_lies_between_its_bounds_and_before_its_target() -> None:
    """Less is better for this metric, so too much is on the right."""
    drawn = interval_drawing(PASSED)
    assert drawn is not None
    assert drawn.low < drawn.value < drawn.high < (drawn.limit or 0)
    assert drawn.beyond == (drawn.limit, WIDTH - (drawn.limit or 0))


def test_a_change_beyond_the_limit_is_drawn_beyond_it() -> None:
    """No change is left of the limit, and the whole interval right of it."""
    drawn = interval_drawing(SLOWER)
    assert drawn is not None
    assert (drawn.zero or 0) < (drawn.limit or 0) < drawn.low < drawn.value < drawn.high


def test_where_more_is_better_too_little_is_on_the_left() -> None:
    """The limit of an allowed loss of five per cent lies within the interval from minus six to plus one."""
    drawn = interval_drawing(FEWER)
    assert drawn is not None
    assert drawn.low < (drawn.limit or 0) < drawn.value < (drawn.zero or 0) < drawn.high
    assert drawn.beyond == (0.0, drawn.limit)
    least = interval_drawing(replace(PASSED, at_least=True))
    assert least is not None
    assert least.beyond == (0.0, least.limit)


def test_infinity_stands_at_the_edge() -> None:
    """A percentile that failures reach is infinite."""
    drawn = interval_drawing(INFINITE)
    assert drawn is not None
    assert drawn.value == drawn.high > (drawn.limit or 0)


def test_without_bounds_the_figure_stands_alone() -> None:
    """Its interval is a point."""
    drawn = interval_drawing(BARE)
    assert drawn is not None
    assert drawn.low == drawn.value == drawn.high


def test_an_unknown_figure_is_not_drawn() -> None:
    """A metric that was not observed."""
    assert interval_drawing(replace(PASSED, value=math.nan, low=math.nan, high=math.nan)) is None


def test_all_positions_are_within_the_drawing() -> None:
    """For zeros, infinities and unknown bounds too."""
    values = (-1.0, 0.0, 2.0, math.inf, -math.inf, math.nan)
    for low, value, high, limit in product(values, repeat=4):
        for more in ({"target": limit}, {"reference": 1.0, "change": value, "change_low": low, "allowed": abs(limit)}):
            row = Judged("first_chunk", "s", "p95", value, low, high, Verdict.PASS, "", **more)
            drawn = interval_drawing(row)
            if drawn is not None:
                assert all(0 <= each <= WIDTH for each in (drawn.low, drawn.value, drawn.high, drawn.limit or 0))
