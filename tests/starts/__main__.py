"""Tries the cells of the matrix and keeps what came of them; words choose cells by their titles.

python -m tests.starts [WORD…]
"""

from __future__ import annotations

import json
import sys
from typing import Any

from tests.ailoop.provider import Provider
from tests.benchmarks.environments import Environments
from tests.reliability.page import PATH, page
from tests.reliability.results import RESULTS, about, keep, results
from tests.starts.cells import CELLS
from tests.starts.run import tried

KEPT = RESULTS / "start-matrix.json"


def main(words: list[str]) -> None:
    """Try them, and write docs/results/start-matrix.json and the page; cells that are not chosen stay as they were."""
    cells = [cell for cell in CELLS if not words or any(word in cell.title for word in words)]
    rows: dict[str, Any] = {row["start"]: row for row in json.loads(KEPT.read_text())["rows"]} if KEPT.exists() else {}
    environments = Environments(print)  # noqa: T202 - a command prints
    with Provider() as provider:
        for cell in cells:
            row = tried(cell, provider, environments)
            print(cell.title, "->", row["result"], flush=True)  # noqa: T201
            if output := row.pop("output", ""):
                print(output, flush=True)  # noqa: T201
            rows[cell.title] = row
            # After each: it takes minutes, and may be broken off.
            kept = [rows[cell.title] for cell in CELLS if cell.title in rows]
            keep({**about("start-matrix"), "rows": kept}, KEPT)
    PATH.write_text(page(results()), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
