"""Finds modules and what they define by reading them: importing AILoop sets up logging and writes files."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Final

_BLOCKS: Final = ("body", "orelse", "handlers", "finalbody")
# A name that is imported from a module that imports it in turn, and so on.
_LONGEST_WAY: Final = 8


def locate(module: str, folders: Sequence[Path]) -> Path | None:
    """The file that a module would be imported from, or None."""
    *packages, name = module.split(".")
    places = list(folders)
    for package in packages:
        found = [place / package for place in places if (place / package).is_dir()]
        # A package with an `__init__` hides those after it; those without add up.
        regular = [place for place in found if (place / "__init__.py").is_file()]
        places = regular[:1] or found
    files = (path for place in places for path in (place / name / "__init__.py", place / f"{name}.py"))
    return next((path for path in files if path.is_file()), None)


def parse(path: Path) -> ast.Module:
    """Read a file as this Python would; raises SyntaxError, and ValueError or OSError for what is no text."""
    return _parse(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=64)
def _parse(path: Path, changed: int) -> ast.Module:
    return ast.parse(path.read_bytes(), str(path))


def defines(module: str, path: str, folders: Sequence[Path]) -> bool:
    """Whether a module has a callable at a dotted path, defined there and not inherited; raises as `parse` does."""
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
    """What a name stands for, and in which module: a class here, or one that was imported under this name."""
    for _ in range(_LONGEST_WAY):
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
    """What is run when a body is, also under a condition."""
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
