"""The page of what may go wrong: it is what the results say, and each row has its test."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.reliability.balance import Balance, added
from tests.reliability.page import PATH, page
from tests.reliability.results import results

ROOT = Path(__file__).parents[2]


def test_the_page_is_what_the_results_say() -> None:
    """`make faults` was run after the last change of how it is written."""
    assert PATH.read_text(encoding="utf-8") == page(results())


def test_each_fault_has_a_test_that_shows_it() -> None:
    """At least sixty, each with its promise and a test that exists; none of them failed."""
    rows = results()["faults"]["rows"]
    assert len(rows) >= 60
    for row in rows:
        path, *_, name = row["test"].split("::")
        functions = (ast.FunctionDef, ast.AsyncFunctionDef)
        found = {node.name for node in ast.walk(ast.parse((ROOT / path).read_text())) if isinstance(node, functions)}
        assert name in found, row["test"]
        assert row["fault"]
        assert row["promise"]
        assert "failed" not in row["outcomes"], row["test"]
        for counts in row["balance"].values():
            assert counts["made"] == counts["delivered"] + counts["kept"] + counts["lost"]


def test_what_is_missing_fails_the_test_that_counts() -> None:
    """Whatever is neither delivered nor kept nor said to be lost."""
    noted: list[tuple[str, object]] = []
    balance = Balance(noted)
    balance("spans", made=3, delivered=1, kept=1, lost=1)
    balance("spans", made=2, kept=2)
    assert added(count for _, count in noted) == {"spans": {"made": 5, "delivered": 1, "kept": 3, "lost": 1}}
    with pytest.raises(AssertionError, match="3 spans made"):
        balance("spans", made=3, delivered=1, kept=1)
