"""Tries the cells of the matrix and keeps what came of them; words choose cells by their titles.

python -m tests.starts [WORD…]
"""

from __future__ import annotations

import sys

from tests.ailoop.provider import Provider
from tests.benchmarks.environments import Environments
from tests.starts.cells import CELLS
from tests.starts.rows import try_cells
from tests.starts.run import tried


def main(words: list[str]) -> None:
    """Try them, and write docs/results/start-matrix.json and the page; cells that are not chosen stay as they were."""
    environments = Environments(print)  # noqa: T202 - a command prints
    with Provider() as provider:
        try_cells("start-matrix", "start", CELLS, words, lambda cell: tried(cell, provider, environments))


if __name__ == "__main__":
    main(sys.argv[1:])
