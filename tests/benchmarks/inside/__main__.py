"""A measured process: it is told a contender's name, then one piece of work after the other, all on one line each."""

from __future__ import annotations

import importlib
import json
import os
import sys
from typing import Any

from tests.benchmarks.inside.contender import Contender, contender


def perform(one: Contender, order: dict[str, Any]) -> dict[str, Any]:
    """Do the work of a name with its arguments; an error is an answer as well."""
    try:
        done: dict[str, Any] = importlib.import_module(f"tests.benchmarks.inside.works.{order.pop('work')}").run(
            one, **order
        )
    except Exception as fault:  # noqa: BLE001 - told to who asked
        return {"error": f"{type(fault).__name__}: {fault}"}
    return done


def main() -> None:
    """Answer until nobody asks any more."""
    # What is imported may print; what is read is the answers only.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    try:
        one = contender(sys.argv[1])
    except Exception as fault:  # noqa: BLE001 - told to who asked
        answers.write(json.dumps({"error": f"{type(fault).__name__}: {fault}"}) + "\n")
        return
    answers.write(json.dumps({"ready": True}) + "\n")
    for line in sys.stdin:
        answers.write(json.dumps(perform(one, json.loads(line))) + "\n")


if __name__ == "__main__":
    main()
