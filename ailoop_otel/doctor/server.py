"""The AILoop in this environment: its generation, and whether each function that is wrapped exists."""

from __future__ import annotations

import importlib
import platform
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from ailoop_otel.doctor.findings import NOTE, OK, PROBLEM, SERVER, Finding
from ailoop_otel.doctor.source import defines, locate, parse
from ailoop_otel.server.patching import Target
from ailoop_otel.server.targets import BOTH, DELEGATES, STATELESS, TARGETS

MAIN: Final = "interactive_server.main"
_OWN: Final = frozenset({"interactive_server", "ai_whisperer"})
_WORDS: Final = {STATELESS: "current", DELEGATES: "earlier"}
_UPGRADE: Final = (
    "pip install --upgrade ailoop-otel; if this AILoop is newer than that, report it with the name of this function."
)


def folders(checkout: Path) -> list[Path]:
    """The folders that the server imports from when it is started in its checkout."""
    return [checkout, *(Path(entry) for entry in sys.path if entry and Path(entry).is_dir())]


def generation(places: Sequence[Path]) -> str:
    """The generation that most of the existing targets belong to; empty if there is no AILoop."""
    found = [row.generation for row in TARGETS if row.generation != BOTH and is_own(row) and locate(row.module, places)]
    return max(_WORDS, key=found.count) if found else ""


def check(checkout: Path) -> Iterator[Finding]:
    """Check which AILoop this is, whether this Python can parse it, and each target."""
    places = folders(checkout)
    kind, main = generation(places), locate(MAIN, places)
    yield _which(checkout, kind, main)
    if main is not None:
        yield from _unreadable(MAIN, main)
    for row in TARGETS:
        if row.generation == BOTH:
            yield _imported(row)
        elif kind:
            yield _target(row, kind, places)


def is_own(row: Target) -> bool:
    """Whether a target belongs to the server's own code, not to a library."""
    return row.module.partition(".")[0] in _OWN


def _which(checkout: Path, kind: str, main: Path | None) -> Finding:
    if main is None:
        mend = "Run this where the server is started, or name the place: ailoop-otel doctor --checkout DIR."
        return Finding(SERVER, PROBLEM, "AILoop", f"there is no {MAIN} in {checkout}.", mend)
    if not kind:
        sentence = "of a generation that nobody knows: timing, sessions and timeouts at most, nothing from inside."
        return Finding(SERVER, PROBLEM, "AILoop", sentence, "pip install --upgrade ailoop-otel.")
    return Finding(SERVER, OK, "AILoop", f"the {_WORDS[kind]} generation ({kind}) in {main.parent.parent}.")


def _target(row: Target, kind: str, places: Sequence[Path]) -> Finding:
    path = locate(row.module, places)
    fault = next(_unreadable(row.module, path), None) if path else None
    if fault is not None:
        return fault
    if path and defines(row.module, row.path, places):
        return Finding(SERVER, OK, row.path, f"found in {row.module}, for {row.gives}.")
    if row.generation != kind:
        sentence = f"not in this generation of AILoop, only in the {_WORDS[row.generation]} one."
        return Finding(SERVER, OK, row.path, sentence)
    package = row.module.partition(".")[0]
    if not is_own(row) and not any((place / package).is_dir() for place in places):
        sentence = f"{package} is not installed here: without {row.gives}, which the server can do without."
        return Finding(SERVER, NOTE, row.path, sentence, f"pip install {package}, if the server is to have them.")
    sentence = f"not in {row.module}, or no such module: without {row.gives}; the rest works."
    return Finding(SERVER, PROBLEM, row.path, sentence, _UPGRADE)


def _imported(row: Target) -> Finding:
    subject = f"{row.module}.{row.path}"
    try:
        owner: object = importlib.import_module(row.module)
    except ImportError:
        sentence = f"there is no package {row.module} here: without {row.gives}; AILoop itself needs it."
        return Finding(SERVER, PROBLEM, subject, sentence, f"pip install {row.module}.")
    for name in row.path.split("."):
        owner = vars(owner).get(name)
    if callable(owner):
        return Finding(SERVER, OK, subject, f"found, for {row.gives}.")
    return Finding(SERVER, PROBLEM, subject, f"not there: without {row.gives}; the rest works.", _UPGRADE)


def _unreadable(module: str, path: Path) -> Iterator[Finding]:
    python = platform.python_version()
    try:
        parse(path)
    except SyntaxError as fault:
        sentence = f"Python {python} cannot read line {fault.lineno} of it, so the server does not start."
        mend = "Start the server with the Python that it is written for, and install ailoop-otel there."
        yield Finding(SERVER, PROBLEM, module, sentence, mend)
    except (OSError, ValueError) as fault:
        sentence = f"it cannot be read ({type(fault).__name__})."
        yield Finding(SERVER, NOTE, module, sentence, "Run this as the user who runs the server.")
