"""The load curve in each format: as a plot and as pictures, in tables, and in the raw data."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from ailoop_otel.measure import Refusal, report
from ailoop_otel.measure.report.contents import build_report
from ailoop_otel.measure.report.markdown import render
from ailoop_otel.measure.report.plots import plots
from ailoop_otel.measure.report.plots.chart import Plot
from ailoop_otel.measure.results import definitions, storage
from ailoop_otel.measure.results.level_figures import LevelFigures
from ailoop_otel.measure.results.observations import observed
from ailoop_otel.measure.results.run import Context, Run


def level(load: float, p95: float = 0.3, **more: Any) -> LevelFigures:
    """A level of a rate at which the server answers almost all."""
    made = LevelFigures(
        load, 20, 10.0, int(10 * load), load, load, 0.9 * load, 4.0, 0.1, p95, 0.8, p95 + 1.0,
        held=False, missed="", not_put_on="",
    )  # fmt: skip
    return replace(made, **more)


LEVELS = (
    level(1.0),
    level(2.0),
    level(4.0, math.inf, missed="p95 of the first chunk was 9 s, and 2 s are allowed"),
    level(8.0, not_put_on="=its 20 sessions were all busy"),
    level(2.0, held=True),
)
RATE = {"ramp": {"of": "rate"}, "stable": {"errors": 10.0, "first_chunk_p95": 0.5, "completion_p95": None}}


def run(levels: tuple[LevelFigures, ...] = LEVELS, settings: dict[str, Any] = RATE) -> Run:
    return Run(Context("mixed", settings=settings, levels=levels), [observed(definitions.STABLE_RATE, 2.0, 9.0)])


def curve(made: Run) -> Plot:
    (plot,) = (each for each in plots(build_report(made)) if each.name == "curve")
    return plot


def test_the_plot_says_what_it_shows() -> None:
    """Its words name the largest stable load, levels that were not put on, and percentiles that failures reach."""
    plot = curve(run())
    assert "at 4 levels from 1 to 8 messages/s. Largest stable load: 2 messages/s." in plot.alt
    assert "At a cross the load generator could not put the load on" in plot.caption
    assert "infinitely slow" in plot.caption
    assert "Load (messages/s)" in json.dumps(plot.spec)
    plain = curve(run(LEVELS[:2], {"ramp": {"of": "sessions"}}))
    assert "cross" not in plain.caption
    assert "from 1 to 2 sessions" in plain.alt


@pytest.mark.parametrize("levels", [(), LEVELS[:1], (level(1.0), level(1.0, held=True))])
def test_one_level_is_no_curve(levels: tuple[LevelFigures, ...]) -> None:
    """There is no picture of a single point."""
    assert not [each for each in plots(build_report(run(levels))) if each.name == "curve"]


def test_pictures_and_tables_are_in_the_run_directory(tmp_path: Path) -> None:
    """SVG and PNG stand alone; the CSV has what was read back from the run, and no formula."""
    storage.save(run(), tmp_path)
    report.write(run(), tmp_path)
    svg = (tmp_path / "curve.svg").read_text()
    assert svg.startswith("<svg")
    assert "var(" not in svg
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")
    rows = list(csv.DictReader(StringIO((tmp_path / "levels.csv").read_text())))
    assert [row["load"] for row in rows] == ["1.0", "2.0", "4.0", "8.0", "2.0"]
    assert rows[2]["first_chunk_p95"] == "inf"
    assert rows[3]["not_put_on"].startswith("'=")
    assert storage.load(tmp_path).context.levels == LEVELS
    document = json.loads((tmp_path / "summary.json").read_text())
    assert document["context"]["levels"][2]["first_chunk_p95"] == "+inf"


def test_the_table_marks_what_was_not_put_on() -> None:
    """In Markdown with the reason of each level, in a terminal of 80 columns without it."""
    text = render(build_report(run()))
    assert "| Messages/s | Offered | Delivered | Goodput |" in text
    assert "| 4 | 4 | 4 | 3.60 | 4 | 100 | ∞ | 800 | ∞ | missed | p95 of the first chunk was 9 s" in text
    assert "| not put on | =its 20 sessions were all busy |" in text
    assert "Targets, at most: 10 per 1,000 errors, 500 ms to the first chunk (p95)." in text
    console = Console(width=80, file=StringIO())
    report.show(run(), console)
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "…" not in shown
    assert "not put on" in shown


@pytest.mark.parametrize("damage", [{"load": "fast"}, {"held": 1}, {"messages": True}, {"missed": None}])
def test_a_damaged_level_is_a_damaged_run(tmp_path: Path, damage: dict[str, Any]) -> None:
    """A run directory from elsewhere is refused, not drawn."""
    storage.save(run(), tmp_path)
    head = json.loads((tmp_path / storage.RUN).read_text())
    head["context"]["levels"][0] |= damage
    (tmp_path / storage.RUN).write_text(json.dumps(head))
    with pytest.raises(Refusal, match="damaged run directory"):
        storage.load(tmp_path)
