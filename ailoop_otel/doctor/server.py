"""The AILoop in this environment: its generation, and whether each function that is wrapped exists.

Its modules are read and not imported: importing AILoop sets up logging and writes files.
"""

from __future__ import annotations

import ast
import importlib
import platform
import sys
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Final

from ailoop_otel.doctor.findings import NOTE, OK, PROBLEM, Finding
from ailoop_otel.server.targets import BOTH, DELEGATES, STATELESS, TARGETS, HookPoint

MAIN: Final = "interactive_server.main"
_OWN: Final = frozenset({"interactive_server", "ai_whisperer"})
_WORDS: Final = {STATELESS: "current", DELEGATES: "earlier"}
_UPGRADE: Final = (
    "pip install --upgrade ailoop-otel; if this AILoop is newer than that, report it with the name of this function."
)
_BLOCKS: Final = ("body", "orelse", "handlers", "finalbody")


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
    if main is not None and (fault := _unreadable(MAIN, main)):
        yield fault
    for row in TARGETS:
        if row.generation == BOTH:
            yield _imported(row)
        elif kind:
            yield _target(row, kind, places)


def is_own(row: HookPoint) -> bool:
    """Whether a target belongs to the server's own code, not to a library."""
    return row.module.partition(".")[0] in _OWN


def _which(checkout: Path, kind: str, main: Path | None) -> Finding:
    if main is None:
        mend = "Run this where the server is started, or name the place: ailoop-otel doctor --checkout DIR."
        return Finding(PROBLEM, "AILoop", f"there is no {MAIN} in {checkout}.", mend)
    if not kind:
        sentence = "of a generation that nobody knows: timing, sessions and timeouts at most, nothing from inside."
        return Finding(PROBLEM, "AILoop", sentence, "pip install --upgrade ailoop-otel.")
    return Finding(OK, "AILoop", f"the {_WORDS[kind]} generation ({kind}) in {main.parent.parent}.")


def _target(row: HookPoint, kind: str, places: Sequence[Path]) -> Finding:
    path = locate(row.module, places)
    if path and (fault := _unreadable(row.module, path)):
        return fault
    if path and defines(path, row.path):
        return Finding(OK, row.path, f"found in {row.module}, for {row.gives}.")
    if row.generation != kind:
        return Finding(OK, row.path, f"not in this generation of AILoop, only in the {_WORDS[row.generation]} one.")
    package = row.module.partition(".")[0]
    if not is_own(row) and not any((place / package).is_dir() for place in places):
        sentence = f"{package} is not installed here: without {row.gives}, which the server can do without."
        return Finding(NOTE, row.path, sentence, f"pip install {package}, if the server is to have them.")
    sentence = f"not in {row.module}, or no such module: without {row.gives}; the rest works."
    return Finding(PROBLEM, row.path, sentence, _UPGRADE)


def _imported(row: HookPoint) -> Finding:
    subject = f"{row.module}.{row.path}"
    try:
        owner: object = importlib.import_module(row.module)
    except ImportError:
        sentence = f"there is no package {row.module} here: without {row.gives}; AILoop itself needs it."
        return Finding(PROBLEM, subject, sentence, f"pip install {row.module}.")
    for name in row.path.split("."):
        owner = vars(owner).get(name)
    if callable(owner):
        return Finding(OK, subject, f"found, for {row.gives}.")
    return Finding(PROBLEM, subject, f"not there: without {row.gives}; the rest works.", _UPGRADE)


def _unreadable(module: str, path: Path) -> Finding | None:
    try:
        parse(path)
    except SyntaxError as fault:
        line = f"line {fault.lineno}"
        sentence = f"Python {platform.python_version()} cannot read {line} of it, so the server does not start."
        mend = "Start the server with the Python that it is written for, and install ailoop-otel there."
        return Finding(PROBLEM, module, sentence, mend)
    except (OSError, ValueError) as fault:
        mend = "Run this as the user who runs the server."
        return Finding(NOTE, module, f"it cannot be read ({type(fault).__name__}).", mend)
    return None


def locate(module: str, folders: Sequence[Path]) -> Path | None:
    """The file that a module would be imported from, searched in `folders` as in `sys.path`; None if there is none."""
    *packages, name = module.split(".")
    places = list(folders)
    for package in packages:
        found = [place / package for place in places if (place / package).is_dir()]
        # A regular package hides later ones; namespace packages (without `__init__.py`) are merged.
        regular = [place for place in found if (place / "__init__.py").is_file()]
        places = regular[:1] or found
    files = (path for place in places for path in (place / name / "__init__.py", place / f"{name}.py"))
    return next((path for path in files if path.is_file()), None)


def parse(path: Path) -> ast.Module:
    """Parse a file with the syntax of this Python; raises SyntaxError, OSError, or ValueError if it is no text."""
    return _parse(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=64)
def _parse(path: Path, changed: int) -> ast.Module:
    return ast.parse(path.read_bytes(), str(path))


def defines(file: Path, path: str) -> bool:
    """Whether a module's file defines a dotted path, not by inheritance; raises what `parse` raises.

    What it imports from elsewhere is not followed, and taken to have the rest of the path.
    """
    *owners, name = path.split(".")
    body: Sequence[ast.AST] = parse(file).body
    for owner in owners:
        node = next((node for node in reversed(list(_statements(body))) if _binds(node, owner)), None)
        if isinstance(node, ast.ImportFrom):
            return True
        if not isinstance(node, ast.ClassDef):
            return False
        body = node.body
    return any(_binds(node, name) for node in _statements(body))


def _statements(body: Sequence[ast.AST]) -> Iterator[ast.AST]:
    """All statements of a body, those in conditional blocks included."""
    for node in body:
        yield node
        if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            for block in _BLOCKS:
                yield from _statements(getattr(node, block, ()))


def _binds(node: ast.AST, name: str) -> bool:
    if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return node.name == name
    if isinstance(node, ast.ImportFrom):
        return any((alias.asname or alias.name) == name for alias in node.names)
    return isinstance(node, ast.Assign) and any(isinstance(to, ast.Name) and to.id == name for to in node.targets)
