"""The marker `ailoop_targets`: targets of one test, which fails if what it timed misses one of them.

    @pytest.mark.ailoop_targets(first_chunk={"max": "2 s"}, error_rate={"value": "0 /1000"})

says what this file of targets says:

    [first_chunk]
    max = "2 s"
    [error_rate]
    value = "0 /1000"

The figures are those of what was recorded from the test's setup to its end. A class's or module's marker holds for all
its tests, and a test's own one goes before it. Only the standard library and pytest are imported here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Generator
from typing import TYPE_CHECKING, Final

import pytest

from ailoop_otel.measure import EXTRA
from ailoop_otel.measure.results.observations import ObservationLog

if TYPE_CHECKING:
    from ailoop_otel.measure.verdict.targets import Targets
    from ailoop_otel.measure.verdict.verdict import Judged

NAME: Final = "ailoop_targets"
_HELP: Final = 'ailoop_targets(first_chunk={"max": "2 s"}): targets, as in a file of them, for what the test times'
_BEGAN: Final = pytest.StashKey[int]()


class TargetsMarker:
    """The hooks of pytest that read the marker and judge the tests that have it."""

    def __init__(self, config: pytest.Config, log: ObservationLog) -> None:
        config.addinivalue_line("markers", _HELP)
        self._log = log

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Read the marker as soon as its test is collected, so that a wrong one is an error before the first test."""
        _targets(metafunc.definition)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Note where the observations of a test begin."""
        item.stash[_BEGAN] = len(self._log.rows)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, None, None]:
        """Judge a test that has passed."""
        yield
        targets = _targets(item)
        if targets is None:
            return
        from ailoop_otel.measure.report.ci import judged_line
        from ailoop_otel.measure.testing.summary import run_of
        from ailoop_otel.measure.verdict.judge import judge
        from ailoop_otel.measure.verdict.verdict import Verdict

        rows = judge(run_of(self._log.rows[item.stash[_BEGAN] :], targets), None, targets).rows
        own = any(mark.name == NAME for mark in item.own_markers)
        missed = [row for row in rows if row.verdict is Verdict.FAIL or (own and not row.n)]
        for row in rows:
            item.user_properties.append((f"ailoop {row.metric} {row.figure}", f"{row.verdict.value}: {row.reason}"))
        if missed:
            lines = (f"{row.metric} {row.figure} {judged_line(row)}" if row.n else _unseen(row) for row in missed)
            pytest.fail(f"{NAME}: " + "\n".join(lines), pytrace=False)


def _unseen(row: Judged) -> str:
    return f"{row.metric} was not observed in this test, so its target means nothing: use the ailoop fixture in it"


def _targets(item: pytest.Item) -> Targets | None:
    """The targets of a test, None for one without the marker; fails what is collected, or the test, by a wrong one."""
    marks = list(item.iter_markers(NAME))
    if not marks:
        return None
    # Failing inside `except` would show both errors.
    try:
        from ailoop_otel.measure.testing.summary import SCENARIO
        from ailoop_otel.measure.verdict.targets import parse

        return parse(_document(marks), SCENARIO)
    except ImportError as error:
        wrong = f"needs {error.name}: {EXTRA}"
    except ValueError as error:
        wrong = str(error)
    pytest.fail(f"{item.nodeid}: {NAME}: {wrong}", pytrace=False)


def _document(marks: list[pytest.Mark]) -> dict[str, dict[str, object]]:
    """The document of a test's markers, of which the first is the nearest; raises ValueError for an empty one."""
    found: defaultdict[str, dict[str, object]] = defaultdict(dict)
    for mark in reversed(marks):
        if mark.args or not mark.kwargs:
            raise ValueError('its targets are keywords: @pytest.mark.ailoop_targets(first_chunk={"max": "2 s"})')
        for metric, figures in mark.kwargs.items():
            if not isinstance(figures, dict):
                raise ValueError(f'{metric}={figures!r} is no table: write {metric}={{"max": "2 s"}}')
            found[metric].update(figures)
    return found
