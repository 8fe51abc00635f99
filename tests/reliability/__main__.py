"""Writes docs/reliability.md; results of several runs of the marked tests are put together before.

python -m tests.reliability [FILE…]     each written by `pytest --faults FILE`
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.reliability.faults import ordered
from tests.reliability.page import PATH, page
from tests.reliability.results import RESULTS, keep, results


def main(paths: list[Path]) -> None:
    """Put results together, if any are named, and write the page."""
    if paths:
        runs = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
        # Of what was run twice, the later file's.
        rows = ordered({(row["test"], row["fault"]): row for run in runs for row in run["rows"]}.values())
        keep({**runs[-1], "rows": rows}, RESULTS / "faults.json")
    PATH.write_text(page(results()), encoding="utf-8")


if __name__ == "__main__":
    main([Path(each) for each in sys.argv[1:]])
