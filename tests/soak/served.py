"""Runs the stand-in; at each SIGUSR1 it adds a line of JSON to FILE with what is alive: threads, tasks, our objects.

python -m tests.soak.served ROOT FILE --port N
"""

from __future__ import annotations

import asyncio
import gc
import json
import runpy
import signal
import sys
import threading
from collections import Counter
from pathlib import Path


def main() -> None:
    """Take the server's folder and the file from the arguments, and run its main module as `python -m` does."""
    root, file = sys.argv.pop(1), Path(sys.argv.pop(1))
    sys.path.insert(0, root)
    signal.signal(signal.SIGUSR1, lambda *_: census(file))
    runpy.run_module("interactive_server.main", run_name="__main__", alter_sys=True)


def census(file: Path) -> None:
    """Write what is alive now; the event loop stands still meanwhile."""
    gc.collect()
    kinds = map(type, gc.get_objects())
    ours = Counter(kind.__qualname__ for kind in kinds if str(kind.__module__).startswith("ailoop_otel"))
    alive = {
        "threads": sorted(thread.name for thread in threading.enumerate()),
        "tasks": len(asyncio.all_tasks()),
        "objects": dict(sorted(ours.items())),
    }
    with file.open("a") as lines:
        lines.write(f"{json.dumps(alive)}\n")


if __name__ == "__main__":
    main()
