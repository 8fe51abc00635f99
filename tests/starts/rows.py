"""Rows of a table, one for each cell, kept after each: trying them takes minutes, and may be broken off."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from tests.reliability.page import PATH, page
from tests.reliability.results import RESULTS, about, keep, results


def try_cells(
    name: str,
    key: str,
    cells: Sequence[Any],
    words: Sequence[str],
    tried: Callable[[Any], dict[str, Any] | None],
) -> None:
    """Try the cells whose titles have a word (no words: all), and keep their rows in docs/results/`name`.json.

    `key` is where a row has its cell's title. Rows of other cells stay as they were, and where `tried` returns None.
    """
    path = RESULTS / f"{name}.json"
    rows = {row[key]: row for row in json.loads(path.read_text())["rows"]} if path.exists() else {}
    for cell in chosen(cells, words):
        row = tried(cell)
        if row is None:
            print(cell.title, "-> as it was: AILOOP_CHECKOUT does not name it", flush=True)  # noqa: T201
            continue
        print(cell.title, "->", row["result"], flush=True)  # noqa: T201
        if output := row.pop("output", ""):
            print(output, flush=True)  # noqa: T201
        rows[cell.title] = row
        keep({**about(name), "rows": [rows[cell.title] for cell in cells if cell.title in rows]}, path)
    PATH.write_text(page(results()), encoding="utf-8")


def chosen(cells: Sequence[Any], words: Sequence[str]) -> list[Any]:
    """The cells that one of the words is in the title of; all, if there are no words."""
    return [cell for cell in cells if not words or any(word in cell.title for word in words)]
