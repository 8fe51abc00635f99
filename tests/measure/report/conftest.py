"""Fixtures that are slow to make, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from ailoop_otel.measure import report
from ailoop_otel.measure.report.contents import Report, build_report
from ailoop_otel.measure.report.plots import plots
from ailoop_otel.measure.report.plots.chart import Plot
from tests.measure.report import sample


@pytest.fixture(scope="session")
def everything() -> Report:
    """A run with everything, and a judgement."""
    return build_report(sample.mixed(240, failing=0.15), sample.judgement())


@pytest.fixture(scope="session")
def drawn(everything: Report) -> list[Plot]:
    """All of its plots."""
    return plots(everything)


@pytest.fixture(scope="session")
def directory(everything: Report, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its report, written into a directory that was not there."""
    place = tmp_path_factory.mktemp("report") / "new"
    report.write(everything.run, place, everything.judgement)
    return place


@pytest.fixture(scope="session")
def html(directory: Path) -> str:
    """Its page."""
    return (directory / "report.html").read_text()
