"""What begins anew in a forked child."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

FORK = """
import os
from ailoop_otel.fork import begin_anew

class Part:
    def __init__(self, name):
        self.name = name
        begin_anew(self.begin)

    def begin(self):
        print(self.name, flush=True)
        if self.name == "second":
            raise RuntimeError("what a user wrote")

parts = [Part(name) for name in ("first", "second", "gone", "third")]
del parts[2]
child = os.fork()
if not child:
    os._exit(0)
os.waitpid(child, 0)
print("parent")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_each_part_begins_anew_in_the_child_alone() -> None:
    """In their order, but for those that are gone; a fault of one is one line, and stops no other."""
    done = subprocess.run(
        [sys.executable, "-c", FORK],
        cwd=Path(__file__).parent.parent, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stdout.split() == ["first", "second", "third", "parent"]
    (line,) = done.stderr.splitlines()
    assert "RuntimeError in a forked child" in line
