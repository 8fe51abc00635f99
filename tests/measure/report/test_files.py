"""The report's files, and the same numbers in all formats."""

from __future__ import annotations

import io
import json
import math
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from ailoop_otel.measure import Refusal, report
from ailoop_otel.measure.verdict.judge import judge
from tests.measure.report import sample
from tests.measure.report.reading import page, rendered, value

FIGURES = ("mean", "p50", "p90", "p95", "p99", "max")


def number(written: Any) -> float:
    return math.nan if written is None else math.inf if written == "+inf" else float(written)


def expected(directory: Path) -> dict[str, tuple[list[float], list[float]]]:
    """Each metric's figures by its title, from `summary.json`: without and with failures as infinitely slow."""
    metrics = json.loads((directory / "summary.json").read_text())["metrics"]
    return {
        metric["title"] + (f": {metric['label']}" if metric["label"] else ""): (
            [number(metric[name]) for name in FIGURES],
            [number(metric["with_failures"].get(name)) for name in FIGURES],
        )
        for metric in metrics
        if metric["each"] != "run"
    }


def figures(rows: list[list[str]]) -> dict[str, tuple[list[float], list[float]]]:
    """The same, read from a table's numbers and units."""
    found: dict[str, tuple[list[float], list[float]]] = {}
    title = ""
    for name, unit, _, _, *numbers in rows:
        shown = [value(each or "–", unit) for each in numbers]
        if "failures as ∞" in name:
            found[title] = (found[title][0], shown)
        else:
            title = name
            found[title] = (shown, [])
    return found


def agree(
    found: dict[str, tuple[list[float], list[float]]], wanted: dict[str, tuple[list[float], list[float]]]
) -> None:
    assert set(found) == set(wanted)
    for title, (without_failures, with_failures) in found.items():
        assert without_failures == pytest.approx(wanted[title][0], rel=6e-3, nan_ok=True), title
        if with_failures:
            assert with_failures == pytest.approx(wanted[title][1], rel=6e-3, nan_ok=True), title


def test_the_page_shows_the_numbers_that_programs_get(directory: Path) -> None:
    """Each printed number with its unit equals the one in `summary.json`."""
    tables = page((directory / "report.html").read_text()).tables
    (table,) = (table for table in tables if table[0][:2] == ["Metric", "Unit"])
    agree(figures(table[1:]), expected(directory))


def test_markdown_shows_the_numbers_that_programs_get(directory: Path) -> None:
    """Each printed number with its unit equals the one in `summary.json`."""
    tables = page(rendered((directory / "summary.md").read_text())).tables
    (table,) = (table for table in tables if table[0][:2] == ["Metric", "Unit"])
    agree(figures(table[1:]), expected(directory))


def test_the_terminal_shows_the_numbers_that_programs_get(directory: Path) -> None:
    """It shows no labels of a metric whose whole has a row."""
    out = io.StringIO()
    report.show(sample.mixed(240, failing=0.15), Console(file=out, width=160), sample.judgement())
    lines = out.getvalue().split("─\n", 1)[1].split("\nn counts", 1)[0].splitlines()
    rows = []
    for line in lines:
        parts = re.split(r"\s+", line.strip())
        if line.startswith("failures as ∞"):
            # The failures and the mean have no number here.
            rows.append(["failures as ∞", *parts[3:5], "", "–", *parts[5:]])
        else:
            rows.append([" ".join(parts[:-9]), *parts[-9:]])
    wanted = expected(directory)
    shown = figures(rows)
    agree(shown, {title: wanted[title] for title in shown})
    assert {title for title in wanted if title not in shown} == {title for title in wanted if ": " in title} - {
        "First chunk: client less server"
    }


def test_the_verdicts_are_the_same(directory: Path) -> None:
    """Verdict and value of each judged figure."""
    rows = json.loads((directory / "summary.json").read_text())["judgement"]["rows"]
    for html in ((directory / "report.html").read_text(), rendered((directory / "summary.md").read_text())):
        (table,) = (table for table in page(html).tables if table[0][0] == "Verdict")
        # On the page each reason has a row of its own, whose first cell is empty.
        judged = [cells for cells in table[1:] if cells[0]]
        for row, cells in zip(rows, judged, strict=True):
            assert row["verdict"] in cells[0]
            assert value(cells[3], cells[2]) == pytest.approx(number(row["value"]), rel=6e-3)


def test_no_figure_stands_without_its_unit(directory: Path) -> None:
    """Each value of the whole run ends in a unit."""
    found = page((directory / "report.html").read_text())
    (singles,) = (table for table in found.tables if table[1][0] == "Messages per second")
    assert all(
        re.fullmatch(r"−?[\d.,]+ (messages/s|sessions|kB/session|kB/s|per 1,000)", row[1]) for row in singles[1:]
    )


def test_a_directory_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    """The message names it."""
    (tmp_path / "file").write_text("")
    with pytest.raises(Refusal, match=r"file.* cannot be written"):
        report.write(sample.few(), tmp_path / "file")


def test_a_report_replaces_the_one_before(tmp_path: Path) -> None:
    """Nothing but the four files is left."""
    for run in (sample.few(1.0), sample.few(2.0)):
        report.write(run, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "junit.xml",
        "report.html",
        "summary.json",
        "summary.md",
    ]
    assert json.loads((tmp_path / "summary.json").read_text())["metrics"][0]["max"] == 2.0


def test_importing_the_report_imports_no_drawing_library() -> None:
    """The pytest plugin imports it in every run."""
    check = "import sys, ailoop_otel.measure.report; sys.exit('vl_convert' in sys.modules or 'jinja2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


def test_nothing_judged_is_said_in_each_format(tmp_path: Path) -> None:
    """It looks like no pass anywhere, and says how to be judged."""
    run = sample.few(0.1, 0.2)
    judgement = judge(run)
    report.write(run, tmp_path, judgement)
    output = io.StringIO()
    report.show(run, Console(file=output, width=200), judgement)
    assert json.loads((tmp_path / "summary.json").read_text())["judgement"]["verdict"] == "not judged"
    for text in (output.getvalue(), *((tmp_path / name).read_text() for name in ("summary.md", "report.html"))):
        assert "NOT JUDGED" in text
        assert "--targets default" in text
        assert "PASS" not in text
