"""The plots of a report."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import vl_convert

from ailoop_otel.measure.report.contents import build_report
from ailoop_otel.measure.report.html import render
from ailoop_otel.measure.report.plots import plots, vega
from ailoop_otel.measure.report.plots.chart import Plot, duration_text
from ailoop_otel.measure.report.plots.data import MOST_POINTS, thinned
from ailoop_otel.measure.results import definitions
from ailoop_otel.measure.results.observations import observed
from ailoop_otel.measure.results.run import Context, Run
from tests.measure.report import sample


def names(run: Run) -> list[str]:
    return [plot.name for plot in plots(build_report(run))]


def test_a_run_with_everything_has_every_plot(drawn: list[Plot]) -> None:
    """In the order of the report."""
    assert [plot.name for plot in drawn] == [
        "latency", "sides", "gaps", "timeouts", "curve", "over-time", "timeline", "memory",
    ]  # fmt: skip


def test_a_plot_without_data_is_not_drawn() -> None:
    """Steps of tests have only a distribution."""
    assert names(sample.steps()) == ["latency"]
    assert names(Run(Context("none"), [])) == []


def test_every_static_plot_is_valid_and_in_the_pages_colours(drawn: list[Plot], html: str) -> None:
    """It is well-formed, has no size or colour of its own, and its axes have units."""
    for plot, svg in zip(drawn, re.findall(r'<div class="static">(.*?)</div>', html, re.DOTALL), strict=True):
        tree = ElementTree.fromstring(svg)
        assert "width" not in tree.attrib
        assert not re.search(r"#[0-9a-f]{3,6}\b", re.sub(r'id="[^"]*"|url\([^)]*\)', "", svg))
        labels = " ".join(text.text or "" for text in tree.iter() if text.tag.endswith("text"))
        assert re.search(r"\((s|ms|MB|%|sessions|per 1,000|count|/s)\b|\(%\)", labels), plot.name


def test_a_plot_over_time_mentions_a_warm_up() -> None:
    """Else its first seconds seem to be missing."""
    made = sample.few(0.1, 0.2, 0.3)
    first, *others = made.observations
    warmed = Run(made.context, [first._replace(phase="warmup"), *others])
    for run, mentioned in ((made, False), (warmed, True)):
        (plot,) = (plot for plot in plots(build_report(run)) if plot.name == "over-time")
        assert ("The warm-up is left out" in plot.caption) is mentioned


def test_data_of_several_layers_is_in_a_specification_once(drawn: list[Plot]) -> None:
    """A line and the points to point at have the same."""
    for plot in drawn:
        tables = list(vega.specification(plot)["datasets"].values())
        assert all(one != other for number, one in enumerate(tables) for other in tables[:number])


def test_the_script_is_bundled_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It is kept for the next report; a directory that cannot be written is no error."""
    monkeypatch.setattr(vl_convert, "javascript_bundle", lambda snippet: f"made: {snippet}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    made = vega.script()
    monkeypatch.setattr(vl_convert, "javascript_bundle", lambda snippet: "made again")
    assert vega.script() == made
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert vega.script().endswith("made again")


def test_a_lone_half_is_as_wide_as_two(drawn: list[Plot]) -> None:
    """No empty place is left beside it."""
    (plot,) = plots(build_report(sample.steps()))
    assert plot.wide
    assert [each.wide for each in drawn] == [False, False, False, False, True, True, True, True]


def test_thinning_keeps_the_peaks() -> None:
    """A single slow exchange among very many is still drawn."""
    values = np.ones(200_000)
    values[123_456] = 99.0
    kept = thinned(np.arange(200_000.0), values)
    assert len(kept) <= MOST_POINTS
    assert 123_456 in kept


def test_the_page_of_a_large_run_is_below_two_megabytes() -> None:
    """Points that cannot be distinguished are left out, and so are they of many kinds, steps and processes."""
    rows = [
        observed(metric, 0.1 + number % 97 / 100 * share, number / 100, exchange=number,
                 outcome=f"kind {number % 40}" if number % 5 == 0 else "ok")
        for number in range(6_000)
        for metric, share in ((definitions.FIRST_CHUNK, 1.0), (definitions.COMPLETION, 2.0),
                              (definitions.SERVER_FIRST_CHUNK, 0.9), (definitions.SERVER_COMPLETION, 1.9))
    ]  # fmt: skip
    for metric in (definitions.MEMORY, definitions.SESSIONS, definitions.CPU):
        rows += [observed(metric, 1e8 + number * number % 1e6, number / 10, label=f"server-{number % 9}")
                 for number in range(3_000)]  # fmt: skip
    report = build_report(Run(Context("large"), rows))
    assert [plot.name for plot in plots(report)] == ["latency", "sides", "over-time", "timeline", "memory"]
    assert len(render(report).encode()) < 2_000_000


def test_durations_have_units() -> None:
    """Values that are pointed at have the unit of the axis and of the tables, by the page's own expression."""
    values = [0.0, 2e-5, 0.05, 0.9994, 1.0, 30.0]
    spec = {
        "data": {"values": [{"at": value} for value in values]},
        "transform": [{"calculate": duration_text("datum.at"), "as": "text"}],
        "mark": "text",
        "encoding": {"text": {"field": "text"}, "y": {"field": "at", "type": "ordinal", "axis": None}},
    }
    texts = re.findall(r">([^<>]+)</text>", vl_convert.vegalite_to_svg(spec))
    assert texts == ["0 ms", "0.02 ms", "50 ms", "999.4 ms", "1,000 ms", "30,000 ms"]
