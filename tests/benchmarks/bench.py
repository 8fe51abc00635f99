"""What a row gets to run with."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from tests.ailoop.process import STATELESS, checkout
from tests.benchmarks.environments import Environments, Unavailable

_T = TypeVar("_T")


@dataclass
class Bench:
    """How thorough to be, the environments, the real server, and how to tell how far it is."""

    quick: bool
    environments: Environments
    say: Callable[[str], None]
    checkouts: list[str] = field(default_factory=lambda: _paths("AILOOP_CHECKOUT"))
    server_python: str = field(default_factory=lambda: os.environ.get("AILOOP_PYTHON", sys.executable))

    def size(self, full: _T, quick: _T) -> _T:
        """One of two sizes."""
        return quick if self.quick else full

    def current_generation(self) -> str | None:
        """The first checkout of the real server's current generation, if there is one and its Python is named."""
        if "AILOOP_PYTHON" not in os.environ:
            return None
        return next((path for path in self.checkouts if checkout(path).dialect == STATELESS), None)

    def available(self, contenders: Mapping[str, str]) -> tuple[dict[str, tuple[Path, str]], list[str]]:
        """Those of the contenders (name → environment) whose environment can be made, and why the others' cannot."""
        there, notes = {}, []
        for name, environment in contenders.items():
            python, why = self._python(environment)
            if python is not None:
                there[name] = (python, name)
            else:
                notes.append(f"{name} was not run: {why}")
        return there, notes

    def _python(self, environment: str) -> tuple[Path | None, str]:
        try:
            return self.environments.python(environment), ""
        except Unavailable as fault:
            return None, str(fault)


def _paths(variable: str) -> list[str]:
    return [path for path in os.environ.get(variable, "").split(os.pathsep) if path]
