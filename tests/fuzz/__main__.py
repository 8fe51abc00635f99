"""`make fuzz`: random and coverage-guided examples for all targets, counted in docs/results/fuzz.json."""

from __future__ import annotations

import argparse
import importlib.util
import json
import logging
import platform
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ailoop_otel.terminal import Terminal
from ailoop_otel.version import __version__
from tests.fuzz import guided, random_examples
from tests.fuzz.targets import TARGETS

RESULT = Path(__file__).parent.parent.parent / "docs" / "results" / "fuzz.json"
FULL = sum(target.random + target.guided for target in TARGETS.values())


def main(arguments: Sequence[str] | None = None) -> int:
    """0 where no example did harm."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--examples", type=int, default=FULL, help=f"in all, shared as a full run's {FULL:,} are")
    parser.add_argument("--target", nargs="+", choices=TARGETS, default=list(TARGETS), metavar="TARGET")
    parser.add_argument("--seed", type=int, default=0, help="0 takes another one each day")
    parser.add_argument("--workers", type=int, default=2, help="processes at a time")
    parser.add_argument("--keep", action="store_true", help=f"write {RESULT.name}")
    chosen = parser.parse_args(arguments)
    seed = chosen.seed or int(datetime.now(timezone.utc).strftime("%Y%m%d"))
    has_guided = importlib.util.find_spec("atheris") is not None
    begin, share = time.monotonic(), chosen.examples / FULL
    with ProcessPoolExecutor(chosen.workers) as pool:
        futures = {name: pool.submit(_run, name, share, seed, has_guided) for name in chosen.target}
        results = {name: future.result() for name, future in futures.items()}
    total = sum(result["random"] + result["guided"] for result in results.values())
    failed = {name: result["failure"] for name, result in results.items() if result["failure"]}
    console = Terminal(soft_wrap=True)
    console.print(f"{total:,} examples in {time.monotonic() - begin:,.0f} s, {len(failed)} targets failed")
    for name, result in results.items():
        console.print(f"{name}: {result['random']:,} random, {result['guided']:,} guided, {result['seconds']} s")
    for name, failure in failed.items():
        console.print(f"\n{name}:\n{failure}")
    if chosen.keep:
        RESULT.parent.mkdir(exist_ok=True)
        document = {
            "what": "random and coverage-guided examples for all that reads what others write",
            "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "version": __version__,
            "python": platform.python_version(),
            "engines": ["hypothesis", *(["atheris"] if has_guided else [])],
            "seed": seed,
            "seconds": round(time.monotonic() - begin),
            "examples": total,
            "failed": len(failed),
            "targets": results,
        }
        RESULT.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return 1 if failed else 0


def _run(name: str, share: float, seed: int, has_guided: bool) -> dict[str, Any]:
    """Check one target with both engines; without the guided one its share is checked at random."""
    logging.disable()
    target, begin, failure, checked = TARGETS[name], time.monotonic(), "", {"random": 0, "guided": 0}
    random, by_guide = round(target.random * share), round(target.guided * share)
    try:
        checked["random"] = random_examples.run(target, random if has_guided else random + by_guide, seed)
        if has_guided and by_guide:
            checked["guided"] = guided.run(name, by_guide, seed)
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is what was looked for
        notes = "\n".join(getattr(error, "__notes__", ()))
        failure = f"{type(error).__name__}: {error}\n{notes}"[:4000]
    return {"reads": target.reads, **checked, "seconds": round(time.monotonic() - begin), "failure": failure}


if __name__ == "__main__":
    sys.exit(main())
