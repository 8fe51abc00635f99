"""What a command does not need, it does not import: the large libraries take longer than most reports."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ailoop_otel.measure.results import storage
from tests.measure.report import sample
from tests.view.sample import a_day

LARGE = ("jinja2", "matplotlib", "numpy", "scipy.special", "scipy.stats", "vl_convert")
PROGRAM = f"""
import sys
from ailoop_otel.cli import main
code = main(sys.argv[1:])
print(*(name for name in {LARGE} if name in sys.modules), file=sys.stderr)
sys.exit(code)
"""


@pytest.fixture(scope="module")
def telemetry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A server's recorded telemetry."""
    place = tmp_path_factory.mktemp("recorded") / "telemetry"
    a_day(place)
    return place


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run directory."""
    place = tmp_path_factory.mktemp("run")
    storage.save(sample.mixed(240), place)
    return place


def imported(*words: object) -> set[str]:
    """The large libraries that a command imported."""
    ended = subprocess.run([sys.executable, "-c", PROGRAM, *map(str, words)], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    return set(ended.stderr.split())


def test_looking_at_traces_needs_no_large_library(telemetry: Path) -> None:
    """Nor does anything that a server imports."""
    assert imported("traces", telemetry) == set()


def test_a_report_in_the_terminal_draws_nothing(telemetry: Path) -> None:
    """Nor does one that judges nothing compute an interval."""
    assert imported("report", telemetry) == {"numpy"}


def test_a_report_judged_by_targets_has_intervals_without_tests(run: Path, tmp_path: Path) -> None:
    """`scipy.stats` takes three times as long as `scipy.special`, which has the same functions."""
    drawn = imported("report", run, "--targets", "default", "--out", tmp_path)
    assert drawn == {"jinja2", "numpy", "scipy.special", "vl_convert"}
