"""What is measured: something that stands between a server and its sockets."""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

App = Callable[[Any, Any, Any], Any]


@dataclass
class Taken:
    """What was recorded: spans by name, and what they look like (name, attributes, links), points by metric."""

    spans: Counter[str] = field(default_factory=Counter)
    shapes: set[tuple[str, ...]] = field(default_factory=set)
    points: Counter[str] = field(default_factory=Counter)
    faults: int = 0  # faults of its own that it swallowed


class Contender:
    """One way to record what a server does; this one records nothing."""

    def around(self, application: App) -> App:
        """The application as it is served."""
        return application

    def spans(self) -> None:
        """Have all spans that ended encoded; part of what they cost."""

    def metrics(self) -> None:
        """Collect and encode all metrics, as is done at intervals, and whatever else waits."""

    def take(self) -> Taken:
        """What came out since the last time; not part of what it costs."""
        return Taken()

    def drop(self) -> None:
        """Let go what came out since the last time."""
        self.take()


def contender(name: str) -> Contender:
    """Start a contender by its module's name, `module:variant` for one of several."""
    module, _, variant = name.partition(":")
    made: Contender = importlib.import_module(f"tests.benchmarks.inside.contenders.{module}").start(variant)
    return made
