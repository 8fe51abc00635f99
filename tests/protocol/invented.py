"""Dialects of invented servers, and entry points that name them, without anything that is installed."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ailoop_otel.protocol.delegates import Delegates
from ailoop_otel.protocol.dialect import Dialect
from ailoop_otel.protocol.registry import Registry
from ailoop_otel.protocol.stateless import Stateless

PLUGIN = Path(__file__).parent.parent / "plugin" / "package" / "ailoop_otel_parley.py"


class Point:
    """As much of an entry point of the distribution `ailoop-theirs` as is looked at; an exception is raised."""

    dist = SimpleNamespace(name="ailoop-theirs")

    def __init__(self, loaded: Any, name: str = "theirs") -> None:
        self.name = name
        self._loaded = loaded

    def load(self) -> Any:
        """What it names."""
        if isinstance(self._loaded, BaseException):
            raise self._loaded
        return self._loaded


def registry(*loaded: Any) -> Registry:
    """AILoop's own dialects, and those that plugins bring."""
    points: Any = [Point(each) for each in loaded]
    return Registry((Stateless(), Delegates()), points)


def dialect(**attributes: Any) -> type[Dialect]:
    """A dialect `theirs` with these attributes."""
    return type("Theirs", (Dialect,), {"name": "theirs", "message_method": "their.message", **attributes})


def parley() -> Any:
    """The module of the plugin that tests/plugin installs."""
    spec = importlib.util.spec_from_file_location("ailoop_otel_parley", PLUGIN)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
