"""Whose code a server's CPU is spent in, by a sampling profiler that looks from outside."""

from __future__ import annotations

import linecache
import re
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

RATE = 250  # samples a second
OURS, SDK, EXPORT, SERVER = "ailoop_otel", "OpenTelemetry", "export threads", "the server"
# Whoever calls these is who spends: they work for all.
_SHARED = ("requests", "urllib3", "certifi", "charset_normalizer", "psutil", "wrapt")
_PARTS = (("ailoop_otel/", OURS), ("opentelemetry/", SDK), ("google/protobuf/", SDK))
_SITE = "site-packages/"
# The functions of the SDK's that its export threads run.
_EXPORTING = ("BatchProcessor.worker", "PeriodicExportingMetricReader._ticker")
# Lines of ours at which something of the server's runs: what is done below them, the server does with us or without.
# Below `yield line` that is the end of its own generator, which it breaks off when the last line was read.
_PASSED_ON = re.compile(r"\b(wrapped|iter_lines|send|receive|run|self\.app|self\._http)\(|\byield line\b")


@contextmanager
def sampled(profiler: Path, pid: int) -> Iterator[Sampled]:
    """Sample a process while the context lasts; afterwards the samples are counted by whose code was running.

    Only threads that hold the interpreter's lock are looked at: those run for sure. What the server does without it
    (TLS, compression, the kernel's part of sockets) is left out, so that everybody else's share is over-estimated.
    """
    counted = Sampled()
    with tempfile.NamedTemporaryFile(suffix=".txt") as written:
        command = [profiler.with_name("py-spy"), "record", "--pid", str(pid), "--rate", str(RATE), "--full-filenames"]
        process = subprocess.Popen(
            [*map(str, command), "--format", "raw", "--gil", "--output", written.name],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            yield counted
        finally:
            process.send_signal(2)
            said, _ = process.communicate(timeout=30)
        text = Path(written.name).read_text()
        if not text.strip():
            raise RuntimeError(f"the profiler saw nothing: {said.strip()[-300:]}")
        counted.add(text)


class Sampled:
    """Samples by whose code was running, `owners`, and those that are not the server's by the innermost function."""

    def __init__(self) -> None:
        self.owners: Counter[str] = Counter()
        self.functions: Counter[str] = Counter()

    def add(self, folded: str) -> None:
        """Count folded stacks (`frame;frame;… samples`, the innermost last)."""
        for line in folded.splitlines():
            stack, _, samples = line.rpartition(" ")
            frames = stack.split(";")
            owner = _owner(frames)
            exports = owner != SERVER and any(function in stack for function in _EXPORTING)
            self.owners[EXPORT if exports else owner] += int(samples)
            if owner != SERVER:
                self.functions[_function(frames, owner)] += int(samples)


def _function(frames: list[str], owner: str) -> str:
    """The innermost function that is the owner's: `name (file)`."""
    parts = [part for part, whose in _PARTS if whose == owner]
    innermost = next(frame for frame in reversed(frames) if any(part in frame for part in parts))
    name, _, place = innermost.rpartition(" (")
    return f"{name} ({place.rpartition('/')[2].partition(':')[0]})"


def _owner(frames: list[str]) -> str:
    for depth, frame in enumerate(reversed(frames)):
        place = frame.rpartition(" (")[2].removesuffix(")")
        owner = next((owner for part, owner in _PARTS if part in place), None)
        if owner == OURS and depth and _passes_on(place):
            return SERVER
        if owner is not None:
            return owner
        if _is_server(place):
            return SERVER
    return SERVER


def _is_server(place: str) -> bool:
    if _SITE in place:
        return place.partition(_SITE)[2].partition("/")[0] not in _SHARED
    return not place.startswith("<") and "/lib/python" not in place


def _passes_on(place: str) -> bool:
    path, _, line = place.rpartition(":")
    return bool(_PASSED_ON.search(linecache.getline(path, int(line))))
