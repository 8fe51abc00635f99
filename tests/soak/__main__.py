"""Runs a soak of SOAK_SECONDS (600), keeps its result and draws it; exit code 1 if something is not as it should be.

python -m tests.soak
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from tests.reliability.page import PATH, page
from tests.reliability.results import RESULTS, keep, results
from tests.soak.plot import draw
from tests.soak.run import soak


def main() -> int:
    """Run it, and write docs/results/soak.json, docs/soak.svg and the page."""
    with tempfile.TemporaryDirectory() as folder:
        found = soak(float(os.environ.get("SOAK_SECONDS", "600")), Path(folder))
    keep(found.as_json(), RESULTS / "soak.json")
    (PATH.parent / "soak.svg").write_text(draw(found.as_json()), encoding="utf-8")
    PATH.write_text(page(results()), encoding="utf-8")
    for fault in found.faults:
        print(fault)  # noqa: T201 - a command prints
    return bool(found.faults)


if __name__ == "__main__":
    raise SystemExit(main())
