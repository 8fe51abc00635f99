"""Telemetry of any size is read in little memory: figures are kept of it, and neither lines nor spans."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.measure.telemetry.multiplied import multiply
from tests.view.sample import a_day

MEGABYTE = 1_000_000
EXCHANGES = 13  # of a day
PROGRAM = """
import sys
from pathlib import Path
from ailoop_otel.measure.report.contents import build_report
from ailoop_otel.measure.telemetry.reading import read, run_from
print(len(build_report(run_from(read(Path(sys.argv[1])))).exchanges))
print(open("/proc/self/status").read())
"""


def report(recording: Path, directory: Path, size: int) -> int:
    """The peak of memory, in bytes, of a process that reads so many bytes of telemetry, and the exchanges it found."""
    repeated = multiply(recording, directory, size)
    ended = subprocess.run([sys.executable, "-c", PROGRAM, directory], capture_output=True, text=True, check=True)
    found, _, status = ended.stdout.partition("\n")
    assert int(found) == repeated * EXCHANGES
    # Not what `getrusage` says: there a process begins with the peak of its parent.
    peak = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert peak
    return int(peak[1]) * 1024


def test_memory_does_not_grow_with_what_is_read(tmp_path: Path) -> None:
    """From 3 to 13 MB by half of the bytes, for the figures of each exchange; with its spans it would be twice that."""
    a_day(tmp_path / "day")
    for path in (tmp_path / "day").glob("logs-*"):
        path.unlink()  # its times are those of now, a year after the spans
    small, large = (report(tmp_path / "day", tmp_path / f"{size}", size * MEGABYTE) for size in (3, 13))
    assert large - small < 10 * MEGABYTE
