"""The compatibility table is what its runs say."""

from __future__ import annotations

from tests.matrix.cells import CELLS
from tests.matrix.page import PATH, page
from tests.reliability.results import WHOLE, results


def test_the_page_is_what_the_results_say() -> None:
    """`make matrix` was run after the last change of how it is written."""
    assert PATH.read_text(encoding="utf-8") == page(results()["matrix"])


def test_each_cell_has_a_row_and_each_row_a_result() -> None:
    """In the order of the cells, with what was installed where something was."""
    rows = results()["matrix"]["rows"]
    assert [row["cell"] for row in rows] == [cell.title for cell in CELLS]
    for row in rows:
        assert row["result"]
        assert row["date"]
        assert row["installed"] or row["result"] != WHOLE


def test_the_table_of_versions_has_only_those_that_were_whole() -> None:
    """The oldest and the newest of each."""
    about = {"group": "g", "python": "3.11", "shown": ["wrapt"], "date": "2026-01-01"}
    rows = [
        {**about, "cell": str(number), "installed": {"wrapt": version}, "result": result}
        for number, (version, result) in enumerate([("1.9", "0 messages of 2"), ("1.16.0", WHOLE), ("1.9.1", WHOLE)])
    ]
    text = page({"rows": rows})
    assert "| wrapt | `<3,>=1.16` | 1.9.1 | 1.16.0 |" in text
    assert "| 0 | 3.11 | wrapt 1.9 | 0 messages of 2 | 2026-01-01 |" in text
