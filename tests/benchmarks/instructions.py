"""Instructions that work takes, counted by valgrind: the same on a busy machine as on an idle one."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

from tests.benchmarks.measured import Failed, Measured

_COUNTER = ("valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", "--instr-atstart=no")
_SWITCH = ("callgrind_control", "-i", "on")


def countable() -> bool:
    """Whether they can be counted here."""
    return all(shutil.which(program) for program in (_COUNTER[0], _SWITCH[0]))


def slope(python: Path, contender: str, work: str, less: dict[str, Any], more: dict[str, Any], units: int) -> float:
    """Instructions of one unit, where `more` is as `less` with so many units added; start and end fall out."""
    return (_count(python, contender, work, more) - _count(python, contender, work, less)) / units


def _count(python: Path, contender: str, work: str, arguments: dict[str, Any]) -> int:
    with Measured(python, contender, under=_COUNTER) as one:
        # Not what only happens the first time.
        one.ask(work, **arguments)
        subprocess.run([*_SWITCH, str(one.process.pid)], check=True, capture_output=True)
        one.ask(work, **arguments)
        said = one.finish()
    found = re.search(r"Collected : (\d+)", said)
    if not found:
        raise Failed(f"valgrind counted nothing: {said.strip()[-300:]}")
    return int(found.group(1))
