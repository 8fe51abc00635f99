"""`make kill`: kill servers at random moments, and count what is lost and what comes twice: docs/results/kill.json."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ailoop_otel.terminal import Terminal
from tests.ailoop.process import STATELESS, Installation, checkout, standin
from tests.ailoop.provider import Provider
from tests.kill.last_kill import WAYS, Account, kill
from tests.reliability.results import RESULTS, about, keep

RESULT = RESULTS / "kill.json"
_SUMS = (
    "answered",
    "readable",
    "missing",
    "lines",
    "torn",
    "unreadable",
    "delivered_before",
    "delivered",
    "repeated",
    "repeated_batches",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """0 where nothing was lost but unfinished last lines, and nothing came twice but of one batch."""
    parser = argparse.ArgumentParser(prog="make kill", description=__doc__)
    parser.add_argument("--kills", type=int, default=50, help="in all, in each way as many")
    parser.add_argument("--seed", type=int, default=1, help="of the first kill")
    parser.add_argument("--keep", action="store_true", help=f"write {RESULT.name}, after each kill")
    chosen = parser.parse_args(arguments)
    installations = {"stand-in": standin(STATELESS)}
    for path in filter(None, os.environ.get("AILOOP_CHECKOUT", "").split(os.pathsep)):
        found = checkout(path, os.environ.get("AILOOP_PYTHON", sys.executable))
        installations[f"real, {found.dialect}"] = found
    begin, console = time.monotonic(), Terminal(soft_wrap=True)
    places = [(name, way) for name in installations for way in WAYS]
    accounts: dict[str, list[Account]] = {f"{name}: {way}": [] for name, way in places}
    for number in range(chosen.kills):
        name, way = places[number % len(places)]
        made = _kill(installations[name], name, way, chosen.seed + number // len(places))
        accounts[f"{name}: {way}"].append(made)
        console.print(f"{name}: {made}")
        if chosen.keep:
            _keep(accounts, round(time.monotonic() - begin))
    return 1 if _problems(accounts) else 0


def _kill(installation: Installation, name: str, way: str, seed: int) -> Account:
    with tempfile.TemporaryDirectory() as place, Provider() as provider:
        variables = provider.plain_environment() if name == "stand-in" else provider.environment()
        return kill(way, seed, installation, variables, Path(place) / "telemetry")


def _keep(accounts: dict[str, list[Account]], seconds: int) -> None:
    document = {
        **about("SIGKILL at random moments: what was written is read, shown and delivered"),
        "seconds": seconds,
        "kills": sum(map(len, accounts.values())),
        "problems": _problems(accounts),
        "ways": {name: _sums(made) for name, made in accounts.items()},
        "accounts": [{"server": name, **asdict(each)} for name, made in accounts.items() for each in made],
    }
    keep(document, RESULT)


def _problems(accounts: dict[str, list[Account]]) -> list[str]:
    return [f"{name}, seed {each.seed}: {problem}" for name, made in accounts.items() for each in made
            for problem in each.problems]  # fmt: skip


def _sums(accounts: Sequence[Account]) -> dict[str, Any]:
    return {"kills": len(accounts)} | {name: sum(getattr(each, name) for each in accounts) for name in _SUMS}


if __name__ == "__main__":
    sys.exit(main())
