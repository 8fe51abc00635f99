"""The marker `fault`: what goes wrong in a test, and what is promised then; `--faults FILE` collects the results.

    @pytest.mark.fault("collector", theirs="It answers 301", promise="Kept on disk; one line with the new address")
    def test_…(balance: Balance) -> None:
        …
        balance("spans", made=5, delivered=3, kept=2)

`theirs=` is a fault of somebody else's, `ours=` one of this package. A test has one marker; parameters may have one
each, by `pytest.param(…, marks=pytest.mark.fault(…))`. What is marked alike on one test is one row of the page.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.reliability.balance import PROPERTY, Balance, added
from tests.reliability.results import about, keep

SECTIONS = {
    "collector": "Collector and network",
    "disk": "Disk",
    "process": "Process and signals",
    "threads": "Fork and threads",
    "foreign": "Foreign code in the process",
    "clients": "Clients and frames",
    "provider": "The AI's provider",
    "files": "Files of strangers",
    "settings": "Settings and installation",
}
_MARK = "fault"
_FORM = 'fault(section, theirs="…" or ours="…", promise="…"): what goes wrong in the test, and what is promised then'


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--faults`."""
    parser.addoption("--faults", metavar="FILE", type=Path, help="write the results of the tests marked `fault`")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker; where all reports arrive, collect them."""
    config.addinivalue_line("markers", _FORM)
    if config.getoption("--faults") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Results(config.getoption("--faults")))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each marked test its row, which goes with its reports; pytest.UsageError for a marker of another form."""
    for item in items:
        marks = list(item.iter_markers(_MARK))
        if marks:
            item.user_properties.append((_MARK, _row(item, marks)))


@pytest.fixture
def balance(request: pytest.FixtureRequest) -> Balance:
    """Notes what was made, delivered, kept and lost."""
    return Balance(request.node.user_properties)


def _row(item: pytest.Item, marks: list[pytest.Mark]) -> dict[str, str]:
    (mark, *others) = marks
    whose = [each for each in ("theirs", "ours") if each in mark.kwargs]
    if (
        others
        or len(whose) != 1
        or mark.kwargs.keys() != {*whose, "promise"}
        or len(mark.args) != 1
        or mark.args[0] not in SECTIONS
    ):
        raise pytest.UsageError(
            f"{item.nodeid}: one marker a test, of the form {_FORM}; sections: {', '.join(SECTIONS)}"
        )
    test = item.nodeid.partition("[")[0]
    (section,) = mark.args
    return {
        "section": section,
        "whose": whose[0],
        "fault": mark.kwargs[whose[0]],
        "promise": mark.kwargs["promise"],
        "test": test,
    }


def ordered(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows in the order of the page."""
    places = list(SECTIONS)
    return sorted(rows, key=lambda row: (places.index(row["section"]), row["test"], row["fault"]))


class _Results:
    """Rows by what they say, with the outcomes and counts of their tests."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows: dict[str, dict[str, str]] = {}
        self._outcomes: dict[str, dict[str, str]] = {}
        self._counts: dict[str, dict[str, list[Any]]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take what a phase of a test says: the worst of the phases counts, of several runs the last."""
        properties = report.user_properties
        row = next((value for name, value in properties if name == _MARK), None)
        if row is None or (report.when != "call" and report.outcome == "passed"):
            return
        key = json.dumps(row, sort_keys=True)
        self._rows[key] = row
        outcomes = self._outcomes.setdefault(key, {})
        outcomes[report.nodeid] = report.outcome
        if report.outcome == "passed":
            self._counts.setdefault(key, {})[report.nodeid] = [value for name, value in properties if name == PROPERTY]

    def pytest_sessionfinish(self) -> None:
        """Write the file."""
        rows = ordered(
            {
                **row,
                "outcomes": dict(sorted(Counter(self._outcomes[key].values()).items())),
                "balance": added(count for counts in self._counts.get(key, {}).values() for count in counts),
            }
            for key, row in self._rows.items()
        )
        keep({**about("faults"), "rows": rows}, self._path)
