"""Runs the chain under load, keeps the result, and writes docs/scale.md; exit code 1 if something is not as it must be.

python -m tests.scale [messages]     SCALE_RATE=1025 a second; KEEP=1 keeps a small one too
python -m tests.scale page           only writes the page, from the last result
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

from tests.reliability import page as reliability
from tests.reliability.results import keep, results
from tests.scale.page import PATH, RESULT, page
from tests.scale.run import Plan, Run

LARGE = 100_000  # messages from which on a run is kept


def main() -> int:
    """Run it; a run of fewer than 100,000 messages is kept only with KEEP=1."""
    if sys.argv[1:] == ["page"]:
        _write()
        return 0
    messages = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    rate = float(os.environ.get("SCALE_RATE", "1025"))
    large = messages >= LARGE
    # Kafka's start comes on top of its minute; decision_wait is longer than both.
    wait, steady, away = (100.0, 60.0, 50.0) if large else (25.0, 5.0, 10.0)
    plan = Plan(messages, rate, wait, steady, kafka_away=away)
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(dir=os.environ.get("SCALE_FOLDER")) as folder:
        found = Run(plan, Path(folder), lambda text: _print(f"{time.monotonic() - begun:6.0f} s  {text}"))()
    found["seconds"] = round(time.monotonic() - begun)
    if large or os.environ.get("KEEP"):
        keep(found, RESULT)
        _write()
    for fault in found["faults"][:50]:
        _print(fault)
    return bool(found["faults"])


def _write() -> None:
    """Write the page, and the row in docs/reliability.md."""
    found = results()
    PATH.write_text(page(found[RESULT.stem]), encoding="utf-8")
    reliability.PATH.write_text(reliability.page(found), encoding="utf-8")


def _print(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - a command prints


if __name__ == "__main__":
    raise SystemExit(main())
