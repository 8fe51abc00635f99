"""`make fuzz`: random and coverage-guided examples for all targets, counted in docs/results/fuzz.json."""

from __future__ import annotations

import argparse
import importlib.util
import logging
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from datetime import datetime, timezone
from typing import Any

from ailoop_otel.terminal import Terminal
from tests.fuzz import guided, random_examples
from tests.fuzz.targets import TARGETS
from tests.reliability.results import RESULTS, about, keep

RESULT = RESULTS / "fuzz.json"
FULL = sum(target.random + target.guided for target in TARGETS.values())


def main(arguments: Sequence[str] | None = None) -> int:
    """0 where no example did harm."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--examples", type=int, default=FULL, help=f"in all, shared as a full run's {FULL:,} are")
    parser.add_argument("--target", nargs="+", choices=TARGETS, default=list(TARGETS), metavar="TARGET")
    parser.add_argument("--seed", type=int, default=0, help="0 takes another one each day")
    parser.add_argument("--workers", type=int, default=2, help="processes at a time")
    parser.add_argument("--keep", action="store_true", help=f"write {RESULT.name}, after each part")
    chosen = parser.parse_args(arguments)
    seed = chosen.seed or int(datetime.now(timezone.utc).strftime("%Y%m%d"))
    has_guided = importlib.util.find_spec("atheris") is not None
    begin, share = time.monotonic(), chosen.examples / FULL
    console = Terminal(soft_wrap=True)
    results: dict[str, dict[str, Any]] = {
        name: {"reads": TARGETS[name].reads, "random": 0, "guided": 0, "seconds": 0, "failures": []}
        for name in chosen.target
    }
    with ProcessPoolExecutor(chosen.workers) as pool:
        # The guided ones first: they are many and cheap. Without their engine random examples take their place.
        tasks = [(name, "guided" if has_guided else "random", TARGETS[name].guided) for name in chosen.target]
        tasks += [(name, "random", TARGETS[name].random) for name in chosen.target]
        futures = {
            pool.submit(_run, name, engine, round(count * share), seed): (name, engine)
            for name, engine, count in tasks
            if round(count * share)
        }
        for future in as_completed(futures):
            name, engine = futures[future]
            checked, seconds, failure = future.result()
            results[name][engine] += checked
            results[name]["seconds"] += seconds
            results[name]["failures"] += [failure] if failure else []
            console.print(f"{name}: {checked:,} {engine} examples in {seconds} s {failure}")
            if chosen.keep:
                _keep(results, seed, round(time.monotonic() - begin), guided=has_guided)
    console.print(f"{_total(results):,} examples in {time.monotonic() - begin:,.0f} s")
    return 1 if any(result["failures"] for result in results.values()) else 0


def _run(name: str, engine: str, examples: int, seed: int) -> tuple[int, int, str]:
    """Check examples of a target; returns how many, the seconds, and what failed."""
    logging.disable()
    begin = time.monotonic()
    try:
        checked = (
            guided.run(name, examples, seed)
            if engine == "guided"
            else random_examples.run(TARGETS[name], examples, seed)
        )
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is what was looked for
        notes = "\n".join(getattr(error, "__notes__", ()))
        return 0, round(time.monotonic() - begin), f"{type(error).__name__}: {error}\n{notes}"[:4000]
    return checked, round(time.monotonic() - begin), ""


def _total(results: dict[str, dict[str, Any]]) -> int:
    return sum(result["random"] + result["guided"] for result in results.values())


def _keep(results: dict[str, dict[str, Any]], seed: int, seconds: int, *, guided: bool) -> None:
    document = {
        **about("random and coverage-guided examples for all that reads what others write"),
        "engines": ["hypothesis", *(["atheris"] if guided else [])],
        "seed": seed,
        "seconds": seconds,
        "examples": _total(results),
        "failed": sum(bool(result["failures"]) for result in results.values()),
        "targets": results,
    }
    keep(document, RESULT)


if __name__ == "__main__":
    sys.exit(main())
