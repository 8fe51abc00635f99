"""The table of names, and the page made from it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import tomllib

from ailoop_otel import names
from tests.reference import PATH, page

ROOT = Path(__file__).parent.parent


def test_the_page_is_what_the_table_says() -> None:
    """`make docs` was run after the last change."""
    assert PATH.read_text(encoding="utf-8") == page()


@pytest.mark.parametrize(
    "table", [names.SPANS, names.ATTRIBUTES, names.METRICS, names.LOAD_METRICS, names.EVENTS, names.SETTINGS]
)
def test_each_name_stands_once_and_says_something(table: tuple[names.Name, ...]) -> None:
    """No name is defined twice, none is without a description."""
    assert len({name.name for name in table}) == len(table)
    assert all(name.description.endswith(".") for name in table)


def test_no_metric_has_a_label_that_a_client_can_invent() -> None:
    """Sessions, ids and messages are never labels."""
    invented = {names.SESSION_ID, names.JSONRPC_ID, names.RPC_METHOD_ORIGINAL, names.CLIENT_TRACE_ID}
    assert not invented & {label for metric in names.METRICS for label in metric.labels}


def test_no_other_file_spells_a_name() -> None:
    """Every `ailoop.…` name in the package stands in the table and nowhere else."""
    spelled = re.compile(r'"(ailoop\.[a-z_.]+|gen_ai\.[a-z_.]+|rpc\.[a-z_.]+|session\.[a-z_.]+)"')
    for path in sorted((ROOT / "ailoop_otel").rglob("*.py")):
        if not {"names", "protocol"} & set(path.parts):
            assert not spelled.findall(path.read_text(encoding="utf-8")), path


def test_the_locks_cover_what_the_package_needs() -> None:
    """requirements/runtime.in repeats the package's own dependencies."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    runtime = (ROOT / "requirements" / "runtime.in").read_text(encoding="utf-8").splitlines()
    assert sorted(project["dependencies"]) == sorted(line for line in runtime if not line.startswith("#"))
