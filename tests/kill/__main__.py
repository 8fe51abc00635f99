"""`make kill`: kill servers at random moments, and count what is lost and what comes twice: docs/results/kill.json."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ailoop_otel.terminal import Terminal
from ailoop_otel.version import __version__
from tests.ailoop.process import STATELESS, Installation, checkout, standin
from tests.ailoop.provider import Provider
from tests.kill.last_kill import WAYS, Account, kills

RESULT = Path(__file__).parent.parent.parent / "docs" / "results" / "kill.json"
_SUMS = ("answered", "readable", "missing", "lines", "torn", "unreadable", "delivered", "repeated", "repeated_batches")


def main(arguments: Sequence[str] | None = None) -> int:
    """0 where nothing was lost but unfinished last lines, and nothing came twice but of one batch."""
    parser = argparse.ArgumentParser(prog="make kill", description=__doc__)
    parser.add_argument("--kills", type=int, default=50, help="in all, in each way as many")
    parser.add_argument("--seed", type=int, default=1, help="of the first kill")
    parser.add_argument("--keep", action="store_true", help=f"write {RESULT.name}")
    chosen = parser.parse_args(arguments)
    installations = {"stand-in": standin(STATELESS)}
    for path in filter(None, os.environ.get("AILOOP_CHECKOUT", "").split(os.pathsep)):
        found = checkout(path, os.environ.get("AILOOP_PYTHON", sys.executable))
        installations[f"real, {found.dialect}"] = found
    begin = time.monotonic()
    places = [(name, way) for name in installations for way in WAYS]
    accounts: dict[str, list[Account]] = {}
    for number, (name, way) in enumerate(places):
        share = chosen.kills // len(places) + (number < chosen.kills % len(places))
        accounts[f"{name}: {way}"] = _kills(installations[name], name, way, range(chosen.seed, chosen.seed + share))
    problems = [f"{name}, seed {each.seed}: {problem}" for name, made in accounts.items() for each in made
                for problem in each.problems]  # fmt: skip
    ways = {name: _sums(made) for name, made in accounts.items()}
    console = Terminal(soft_wrap=True)
    for name, sums in ways.items():
        console.print(f"{name}: {', '.join(f'{value} {key}' for key, value in sums.items())}")
    for problem in problems:
        console.print(problem)
    if chosen.keep:
        RESULT.parent.mkdir(exist_ok=True)
        document = {
            "what": "SIGKILL at random moments: what was written is read, shown and delivered",
            "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "version": __version__,
            "python": platform.python_version(),
            "seconds": round(time.monotonic() - begin),
            "kills": chosen.kills,
            "problems": problems,
            "ways": ways,
            "accounts": [asdict(each) for made in accounts.values() for each in made],
        }
        RESULT.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return 1 if problems else 0


def _kills(installation: Installation, name: str, way: str, seeds: range) -> list[Account]:
    with tempfile.TemporaryDirectory() as place, Provider() as provider:
        variables = provider.plain_environment() if name == "stand-in" else provider.environment()
        return kills(way, seeds, installation, variables, Path(place))


def _sums(accounts: Sequence[Account]) -> dict[str, Any]:
    return {"kills": len(accounts)} | {name: sum(getattr(each, name) for each in accounts) for name in _SUMS}


if __name__ == "__main__":
    sys.exit(main())
