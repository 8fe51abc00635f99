"""The plots of a report."""

from __future__ import annotations

import math
import re
import time
from typing import Any
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest

from ailoop_otel.measure.report.contents import build_report
from ailoop_otel.measure.report.plots import canvas, plots
from ailoop_otel.measure.report.plots.canvas import Plot
from ailoop_otel.measure.report.plots.data import MOST_POINTS, plot_data, thinned
from ailoop_otel.measure.report.plots.load_ramp import load_levels
from ailoop_otel.measure.results import definitions
from ailoop_otel.measure.results.observations import observed
from ailoop_otel.measure.results.run import Context, Run
from tests.measure.report import sample


def names(run: Run) -> list[str]:
    return [plot.name for plot in plots(build_report(run))]


def test_a_run_with_everything_has_every_plot(drawn: list[Plot]) -> None:
    """In the order of the report."""
    assert [plot.name for plot in drawn] == [
        "latency", "ramp", "sides", "gaps", "timeouts", "over-time", "timeline", "memory",
    ]  # fmt: skip


def test_a_plot_without_data_is_not_drawn() -> None:
    """Steps of tests have only a distribution."""
    assert names(sample.steps()) == ["latency"]
    assert names(Run(Context("none"), [])) == []


def test_every_plot_is_valid_and_in_the_pages_colours(drawn: list[Plot]) -> None:
    """It is well-formed, has no size or colour of its own, and its axes have units."""
    for plot in drawn:
        tree = ElementTree.fromstring(plot.svg)
        assert "width" not in tree.attrib
        assert not re.search(r"#[0-9a-f]{6}\b", re.sub(r'(id|href)="[^"]*"|url\([^)]*\)', "", plot.svg))
        labels = " ".join(text.text or "" for text in tree.iter() if text.tag.endswith("text"))
        assert re.search(r"\((s|MB|%|sessions|per 1,000|count|/s)|\d (µs|ms|s)\b", labels), plot.name


def test_an_axis_of_time_mentions_a_warm_up() -> None:
    """Else its first seconds seem to be missing."""
    made = sample.few(0.1, 0.2, 0.3)
    first, *others = made.observations
    warmed = Run(made.context, [first._replace(phase="warmup"), *others])
    for run, mentioned in ((made, False), (warmed, True)):
        (plot,) = (plot for plot in plots(build_report(run)) if plot.name == "over-time")
        assert ("the warm-up is left out" in plot.svg) is mentioned


def test_drawing_restores_the_librarys_settings() -> None:
    """Other code in the process that draws is not affected."""
    before = dict(matplotlib.rcParams)
    plots(build_report(sample.few(0.1, 0.2, outcome="cut")))
    assert dict(matplotlib.rcParams) == before


def test_a_lone_half_is_as_wide_as_two(drawn: list[Plot]) -> None:
    """No empty place is left beside it."""
    (plot,) = plots(build_report(sample.steps()))
    assert plot.wide
    assert [each.wide for each in drawn] == [False, False, False, False, True, True, True, True]


def test_a_ramp_has_a_level_for_each_number_of_sessions() -> None:
    """Each exchange counts at the sessions that were connected when it began, a failure as infinitely slow."""
    rows = [observed(definitions.SESSIONS, float(sessions), 10.0 * sessions) for sessions in (1, 2, 3)]
    for number in range(30):
        sessions = 1 + number // 10
        place: dict[str, Any] = {"at": 10.0 * sessions + number % 10 / 2, "exchange": number, "phase": "ramp"}
        outcome = "cut" if sessions == 3 and number % 2 else "ok"
        rows.append(observed(definitions.FIRST_CHUNK, 0.1 * sessions, outcome=outcome, **place))
    levels = load_levels(plot_data(build_report(Run(Context("ramp"), rows))))
    assert [(level.sessions, level.n, level.errors) for level in levels] == [(1, 10, 0), (2, 10, 0), (3, 10, 500)]
    assert [level.p95 for level in levels] == pytest.approx([0.1, 0.2, math.inf])


def test_thinning_keeps_the_peaks() -> None:
    """A single slow exchange among very many is still drawn."""
    values = np.ones(200_000)
    values[123_456] = 99.0
    at, kept = thinned(np.arange(200_000.0), values)
    assert len(kept) <= MOST_POINTS
    assert at[kept.argmax()] == 123_456.0


def test_a_large_run_is_drawn_in_seconds_and_fits_into_a_mail() -> None:
    """Points that cannot be distinguished are left out. The time is this process's CPU time only."""
    rows = [
        observed(definitions.FIRST_CHUNK, 0.1 + number % 97 / 100, number / 100, exchange=number,
                 outcome=f"kind {number % 4}" if number % 5 == 0 else "ok")
        for number in range(200_000)
    ]  # fmt: skip
    rows += [observed(definitions.MEMORY, 1e8 + number * number % 1e6, number / 10) for number in range(20_000)]
    run = Run(Context("large"), rows)
    began = time.process_time()
    made = plots(build_report(run))
    assert time.process_time() - began < 15
    assert [plot.name for plot in made] == ["latency", "over-time", "timeline", "memory"]
    assert sum(len(plot.svg) for plot in made) < 600_000


def test_ticks_have_units() -> None:
    """Each in the unit that suits it."""
    assert [canvas.tick(each) for each in (0.0, 2e-5, 0.05, 1.0, 30.0)] == ["0 s", "20 µs", "50 ms", "1 s", "30 s"]
