"""Runs the chain under load, keeps the result, and writes docs/scale.md; exit code 1 if something is not as it must be.

python -m tests.scale [messages]     SCALE_RATE=1000 a second
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

from tests.reliability.results import RESULTS, keep
from tests.scale.run import Plan, Run


def main() -> int:
    """Run it; a run of fewer than 100,000 messages is kept only with KEEP=1."""
    messages = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    rate = float(os.environ.get("SCALE_RATE", "1000"))
    large = messages >= 100_000
    plan = Plan(messages, rate, *((120.0, 60.0) if large else (25.0, 5.0)), kafka_away=60.0 if large else 10.0)
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(dir=os.environ.get("SCALE_FOLDER")) as folder:
        found = Run(plan, Path(folder), lambda text: _print(f"{time.monotonic() - begun:6.0f} s  {text}"))()
    found["seconds"] = round(time.monotonic() - begun)
    if large or os.environ.get("KEEP"):
        keep(found, RESULTS / "scale.json")
    else:
        keep(found, Path("scale.json"))
    for fault in found["faults"][:50]:
        _print(fault)
    return bool(found["faults"])


def _print(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - a command prints


if __name__ == "__main__":
    raise SystemExit(main())
