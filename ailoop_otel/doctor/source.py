"""Finds modules and their definitions without importing them: importing AILoop sets up logging and writes files."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Final

_BLOCKS: Final = ("body", "orelse", "handlers", "finalbody")
# How many re-exports of a name are followed.
_MOST_IMPORTS: Final = 8


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


def defines(module: str, path: str, folders: Sequence[Path]) -> bool:
    """Whether a module defines a dotted path (not by inheritance); raises what `parse` raises."""
    *owners, name = path.split(".")
    file = locate(module, folders)
    body = list(parse(file).body) if file else []
    for owner in owners:
        node, module = _resolve(module, body, owner, folders)
        if not isinstance(node, ast.ClassDef):
            return False
        body = node.body
    return any(_binds(node, name) for node in _statements(body))


def _resolve(module: str, body: Sequence[ast.stmt], name: str, folders: Sequence[Path]) -> tuple[ast.AST | None, str]:
    """The definition of a name and its module, with `from … import` followed."""
    for _ in range(_MOST_IMPORTS):
        node = next((node for node in reversed(list(_statements(body))) if _binds(node, name)), None)
        if not isinstance(node, ast.ImportFrom):
            return node, module
        name = next(alias.name for alias in node.names if name in (alias.asname, alias.name))
        module = _absolute(module, node, folders)
        file = locate(module, folders)
        body = parse(file).body if file else []
    return None, module


def _absolute(module: str, node: ast.ImportFrom, folders: Sequence[Path]) -> str:
    if not node.level:
        return node.module or ""
    file = locate(module, folders)
    parts = module.split(".")
    up = node.level - (1 if file is not None and file.name == "__init__.py" else 0)
    return ".".join([*parts[: len(parts) - up], *filter(None, [node.module])])


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
