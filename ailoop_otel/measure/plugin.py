"""The pytest plugin: the `ailoop` fixture, one for each scope, and a summary of all timings at the end of the run.

    pytest --ailoop-report DIR          writes the summary and the raw data into files too
    pytest --ailoop-targets FILE        a failing target fails the run
    pytest --ailoop-baseline RUN        so does a figure that is worse than in an earlier run
    @pytest.mark.ailoop_targets(…)      targets of one test: see testing/marker.py

Under pytest-xdist each worker hands its observations to the controller. A run whose tests do not use the fixture
imports none of the libraries.
"""

from __future__ import annotations

import importlib.util
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from ailoop_otel.measure import EXTRA
from ailoop_otel.measure.results.observations import Observation, ObservationLog
from ailoop_otel.measure.testing.fixture import Stopwatch
from ailoop_otel.measure.testing.marker import TargetsMarker

if TYPE_CHECKING:
    from ailoop_otel.measure.testing.summary import RunSummary

LIBRARIES: Final = ("hdrh", "jinja2", "numpy", "rich", "scipy", "vl_convert", "websockets")
_REPORT, _TARGETS, _BASELINE = "--ailoop-report", "--ailoop-targets", "--ailoop-baseline"
# Keys of what pytest-xdist carries: the start of the run to each worker, its observations back.
_ORIGIN: Final = "ailoop_origin"
_ROWS: Final = "ailoop_rows"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("ailoop", "performance of an AILoop server")
    group.addoption(_REPORT, metavar="DIR", help="write the summary of what the ailoop fixture timed, and raw data")
    group.addoption(
        _TARGETS, metavar="FILE", help="a TOML file of targets, or default; one that is missed fails the run"
    )
    group.addoption(_BASELINE, metavar="RUN", help="an earlier report's directory; what is worse fails the run")


def pytest_configure(config: pytest.Config) -> None:
    """Start the clock; a file of targets or a baseline that cannot be read ends the run before the first test."""
    collector = RunCollector(config)
    config.pluginmanager.register(collector, "ailoop-collector")
    config.pluginmanager.register(TargetsMarker(config, collector.log), "ailoop-targets")


@pytest.fixture
def ailoop(request: pytest.FixtureRequest) -> Stopwatch:
    """Takes timestamps (`step`, `mark`) and talks to a server whose answers are timed (`connect`)."""
    return _stopwatch(request)


@pytest.fixture(scope="module")
def ailoop_module(request: pytest.FixtureRequest) -> Stopwatch:
    """As `ailoop`, for fixtures of a module: a session with a server then spans its tests."""
    return _stopwatch(request)


@pytest.fixture(scope="session")
def ailoop_session(request: pytest.FixtureRequest) -> Stopwatch:
    """As `ailoop`, for fixtures of the whole run; each worker of pytest-xdist has its own."""
    return _stopwatch(request)


def _stopwatch(request: pytest.FixtureRequest) -> Stopwatch:
    missing = missing_libraries()
    if missing:
        pytest.fail(f"the ailoop fixture needs {', '.join(missing)}: {EXTRA}", pytrace=False)
    collector = request.config.pluginmanager.get_plugin("ailoop-collector")
    assert isinstance(collector, RunCollector)
    return Stopwatch(collector.log)


def missing_libraries() -> list[str]:
    """The libraries of the `measure` extra that are not installed."""
    return [name for name in LIBRARIES if importlib.util.find_spec(name) is None]


class RunCollector:
    """Collects the observations of all processes of the run, and reports on them at the end."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._worker: dict[str, Any] | None = getattr(config, "workerinput", None)
        self._began = time.time()
        self._lost = 0
        self._summary: RunSummary | None = None
        # A worker counts from the start of the whole run; `perf_counter` may have another origin in each process.
        began = (self._worker or {}).get(_ORIGIN, self._began)
        self.log = ObservationLog(time.perf_counter() - (time.time() - began), _number(self._worker))
        if self._worker is None and self._has_option(_TARGETS, _BASELINE, _REPORT):
            self._summary = self._make_summary()

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """In a worker, hand the observations to the controller; in the controller, judge the run."""
        if self._worker is not None:
            self._config.workeroutput[_ROWS] = [tuple(row) for row in self.log.rows]  # type: ignore[attr-defined]
            return
        if not self.log.rows:
            return
        self._summary = self._summary or self._make_summary()
        failed = self._summary.end(self.log.rows, self._began, self._lost)
        if failed and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the summary."""
        if self.log.rows and self._summary is not None:
            terminalreporter.section("AILoop performance")
            for text in self._summary.text(color=terminalreporter.hasmarkup):
                terminalreporter.write(text)
        elif self._has_option(_TARGETS, _BASELINE, _REPORT):
            terminalreporter.write_line("AILoop performance: no test timed anything with the ailoop fixture")

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Send the start of the run to a worker of pytest-xdist."""
        node.workerinput[_ORIGIN] = self._began

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """Take over the observations of a worker; those of one that crashed are lost."""
        output = getattr(node, "workeroutput", None)
        if output is None:
            self._lost += 1
        else:
            self.log.rows += [Observation(*row) for row in output.get(_ROWS, ())]

    def _has_option(self, *options: str) -> bool:
        return any(self._config.getoption(option) for option in options)

    def _make_summary(self) -> RunSummary:
        """Create the summary; raises pytest.UsageError where a library is missing or a file cannot be read."""
        missing = missing_libraries()
        if missing:
            raise pytest.UsageError(f"{_REPORT} and the like need {', '.join(missing)}: {EXTRA}")
        from ailoop_otel.measure import Refusal
        from ailoop_otel.measure.testing.summary import RunSummary

        report, targets, baseline = (self._path(option) for option in (_REPORT, _TARGETS, _BASELINE))
        try:
            return RunSummary(report, targets, baseline)
        except Refusal as refusal:
            raise pytest.UsageError(str(refusal)) from None

    def _path(self, option: str) -> Path | None:
        value = self._config.getoption(option)
        return self._config.invocation_params.dir / value if value else None


def _number(worker: dict[str, Any] | None) -> int:
    """The number of a process: 0 for the controller, 1 for the worker gw0."""
    digits = "".join(c for c in str((worker or {}).get("workerid", "")) if c.isdecimal())
    return int(digits) + 1 if digits else 0
