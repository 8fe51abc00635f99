"""The pytest plugin: the `ailoop` fixture, and a summary of what the tests timed when the run ends.

    pytest --ailoop-report DIR          the summary in files too, with the raw data
    pytest --ailoop-targets FILE        a failing target fails the run
    pytest --ailoop-baseline RUN        so does a figure that is worse than that of an earlier run

Under pytest-xdist each worker hands its observations to the controller. A run whose tests do not use the fixture
imports none of the libraries.
"""

from __future__ import annotations

import importlib.util
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from ailoop_otel.measure.results.observations import Observation
from ailoop_otel.measure.testing.fixture import ObservationLog, Stopwatch

if TYPE_CHECKING:
    from ailoop_otel.measure.testing.summary import TestRunSummary

LIBRARIES: Final = ("hdrh", "jinja2", "matplotlib", "numpy", "rich", "scipy", "websockets")
EXTRA: Final = "pip install 'ailoop-otel[measure]'"
_REPORT, _TARGETS, _BASELINE = "--ailoop-report", "--ailoop-targets", "--ailoop-baseline"
# What the controller tells its workers, and what they hand back.
_ORIGIN: Final = "ailoop_origin"
_ROWS: Final = "ailoop_rows"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("ailoop", "performance of an AILoop server")
    group.addoption(_REPORT, metavar="DIR", help="write the summary of what the ailoop fixture timed, and raw data")
    group.addoption(_TARGETS, metavar="FILE", help="a TOML file of targets; one that is missed fails the run")
    group.addoption(_BASELINE, metavar="RUN", help="an earlier report's directory; what is worse fails the run")


def pytest_configure(config: pytest.Config) -> None:
    """Start the clock; a file that makes no sense is told before the first test."""
    config.pluginmanager.register(RunCollector(config), "ailoop-ending")


@pytest.fixture
def ailoop(request: pytest.FixtureRequest) -> Stopwatch:
    """Takes timestamps (`step`, `mark`) and talks to a server whose answers are timed (`connect`)."""
    missing = missing_libraries()
    if missing:
        pytest.fail(f"the ailoop fixture needs {', '.join(missing)}: {EXTRA}", pytrace=False)
    ending = request.config.pluginmanager.get_plugin("ailoop-ending")
    assert isinstance(ending, RunCollector)
    return Stopwatch(ending.log)


def missing_libraries() -> list[str]:
    """Which libraries of the extra are not installed."""
    return [name for name in LIBRARIES if importlib.util.find_spec(name) is None]


class RunCollector:
    """Gathers what all processes of the run observed, and tells it at the end."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._worker: dict[str, Any] | None = getattr(config, "workerinput", None)
        self._began = time.time()
        self._gone = 0
        self._verdicts: TestRunSummary | None = None
        # A worker counts from when the whole run began; `perf_counter` may be each process's own.
        began = (self._worker or {}).get(_ORIGIN, self._began)
        self.log = ObservationLog(time.perf_counter() - (time.time() - began), _number(self._worker))
        if self._worker is None and self._asked(_TARGETS, _BASELINE, _REPORT):
            self._verdicts = self._prepared()

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Hand over to the controller, or judge."""
        if self._worker is not None:
            self._config.workeroutput[_ROWS] = [tuple(row) for row in self.log.rows]  # type: ignore[attr-defined]
            return
        if not self.log.rows:
            return
        self._verdicts = self._verdicts or self._prepared()
        failed = self._verdicts.end(self.log.rows, self._began, self._gone)
        if failed and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the summary."""
        if self.log.rows and self._verdicts is not None:
            terminalreporter.section("AILoop performance")
            for text in self._verdicts.told(color=terminalreporter.hasmarkup):
                terminalreporter.write(text)
        elif self._asked(_TARGETS, _BASELINE, _REPORT):
            terminalreporter.write_line("AILoop performance: no test timed anything with the ailoop fixture")

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell a worker of pytest-xdist when the run began."""
        node.workerinput[_ORIGIN] = self._began

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """Take over what a worker observed; one that crashed took it along."""
        output = getattr(node, "workeroutput", None)
        if output is None:
            self._gone += 1
        else:
            self.log.rows += [Observation(*row) for row in output.get(_ROWS, ())]

    def _asked(self, *options: str) -> bool:
        return any(self._config.getoption(option) for option in options)

    def _prepared(self) -> TestRunSummary:
        """What judges and writes; a usage error where a library or a file is missing."""
        missing = missing_libraries()
        if missing:
            raise pytest.UsageError(f"{_REPORT} and the like need {', '.join(missing)}: {EXTRA}")
        from ailoop_otel.measure import Refusal
        from ailoop_otel.measure.testing.summary import TestRunSummary

        report, targets, baseline = (self._path(option) for option in (_REPORT, _TARGETS, _BASELINE))
        try:
            return TestRunSummary(report, targets, baseline)
        except Refusal as refusal:
            raise pytest.UsageError(str(refusal)) from None

    def _path(self, option: str) -> Path | None:
        value = self._config.getoption(option)
        return self._config.invocation_params.dir / value if value else None


def _number(worker: dict[str, Any] | None) -> int:
    """The number of a process: 0 for the controller, 1 for the worker gw0."""
    digits = "".join(c for c in str((worker or {}).get("workerid", "")) if c.isdecimal())
    return int(digits) + 1 if digits else 0
