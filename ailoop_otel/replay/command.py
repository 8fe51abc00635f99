"""From the words of the command line to an exit code."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

from rich.console import Console

from ailoop_otel.recorded.files import find, size
from ailoop_otel.replay.course import Course
from ailoop_otel.replay.delivery import Delivery
from ailoop_otel.replay.destination import destination
from ailoop_otel.replay.progress import Display
from ailoop_otel.replay.refusal import Refusal
from ailoop_otel.replay.signals import SIGNALS, Signal
from ailoop_otel.settings import Settings

ALL, SOME, WRONG, INTERRUPTED = 0, 1, 2, 130
_MOST_PATIENCE: Final = 86400.0


def replay(
    places: Sequence[str], endpoint: str, signals: str, state: str, patience: float, *, again: bool, insecure: bool
) -> int:
    """Send what was recorded and tell what came of it; the exit code says whether all is where it should be."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # names of files and services, in whatever encoding
    try:
        return _replay(places, endpoint, _signals(signals), state, _patience(patience), again=again, insecure=insecure)
    except Refusal as refusal:
        _print(f"ailoop-otel: {refusal}", error=True)
        return WRONG


def _replay(
    places: Sequence[str],
    endpoint: str,
    wanted: frozenset[Signal],
    state: str,
    patience: float,
    *,
    again: bool,
    insecure: bool,
) -> int:
    files = _files(places or [Settings.from_environment().directory])
    receiver = destination(endpoint, insecure=insecure)
    begin = time.monotonic()
    with Display(size(files)) as display, closing(Delivery(receiver, patience, display.wait)) as delivery:
        kept = Path(state) if state else None
        course = Course(delivery, receiver.base, wanted, kept, display.tell, again=again)
        course.run(files, lambda done: display.advance(done, course.account))
    account = course.account
    for sentence in account.sentences(receiver.base, time.monotonic() - begin):
        _print(sentence)
    if account.interrupted:
        return INTERRUPTED
    return ALL if account.is_complete else SOME


def _files(places: Sequence[str]) -> list[Path]:
    """All files in the order they were begun, each once."""
    files: dict[Path, Path] = {}
    for place in places:
        found = find(Path(place))
        if not found:
            raise Refusal(f"no telemetry in {place}: name a directory of .jsonl files, or the files")
        files.update({path.resolve(): path for path in found})
    return list(files.values())


def _signals(words: str) -> frozenset[Signal]:
    names = [name.strip() for name in words.split(",") if name.strip()]
    unknown = [name for name in names if name not in SIGNALS]
    if unknown or not names:
        raise Refusal(f"--signals {words!r} is not understood: take some of {','.join(SIGNALS)}")
    return frozenset(SIGNALS[name] for name in names)


def _patience(seconds: float) -> float:
    if not 0 <= seconds <= _MOST_PATIENCE:
        raise Refusal(f"--patience {seconds:g} is no number of seconds from 0 to {_MOST_PATIENCE:g}")
    return seconds


def _print(sentence: str, *, error: bool = False) -> None:
    Console(stderr=error).out(sentence, highlight=False)
