"""Tries the cells of the compatibility table and keeps what came of them; words choose cells by their titles.

python -m tests.matrix [WORD…]      with AILOOP_CHECKOUT=PATH[:PATH] also those of the real servers
"""

from __future__ import annotations

import sys

from tests.ailoop.provider import Provider
from tests.benchmarks.environments import Environments
from tests.matrix.cells import CELLS
from tests.matrix.page import PATH, page
from tests.matrix.run import tried
from tests.reliability.results import results
from tests.starts.rows import try_cells


def main(words: list[str]) -> None:
    """Try them, and write docs/results/matrix.json and the pages; cells that are not chosen stay as they were."""
    environments = Environments(print)  # noqa: T202 - a command prints
    with Provider() as provider:
        try_cells("matrix", "cell", CELLS, words, lambda cell: tried(cell, provider, environments))
    PATH.write_text(page(results()["matrix"]), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
