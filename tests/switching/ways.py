"""The ways of switching on: variables, a command before the command, steps before and after the application is made."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import combinations

BIN = os.path.dirname(sys.executable)


@dataclass(frozen=True)
class Way:
    """One way, or some of them together."""

    name: str
    variables: Mapping[str, str] = field(default_factory=dict)
    wrapper: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()

    def __add__(self, other: Way) -> Way:
        return Way(
            f"{self.name}, {other.name}",
            {**self.variables, **other.variables},
            self.wrapper + other.wrapper,
            self.before + other.before,
            self.after + other.after,
        )

    @property
    def steps(self) -> str:
        """The steps of the application."""
        return " ".join((*self.before, "app", *self.after))


STARTUP_FILE = Way("start-up file", variables={"AILOOP_OTEL_ENABLED": "true"})
WRAPPER = Way(
    "opentelemetry-instrument",
    variables={"OTEL_PYTHON_DISTRO": "ailoop"},
    wrapper=(os.path.join(BIN, "opentelemetry-instrument"),),
)
RUN = Way("ailoop-otel run", wrapper=(sys.executable, "-m", "ailoop_otel.cli", "run", "--"))
CODE_BEFORE = Way("instrument() before", before=("instrument",))
CODE_AFTER = Way("instrument() after", after=("instrument",))
MIDDLEWARE = Way("add_middleware", after=("middleware",))

WAYS = (STARTUP_FILE, WRAPPER, RUN, CODE_BEFORE, CODE_AFTER, MIDDLEWARE)
PAIRS = tuple(one + other for one, other in combinations(WAYS, 2))
ALL = STARTUP_FILE + WRAPPER + RUN + CODE_BEFORE + CODE_AFTER + MIDDLEWARE


def scripted(steps: str, **variables: str) -> Way:
    """A way that is told step by step."""
    words = tuple(steps.split())
    made = words.index("app")
    return Way(steps, variables, (), words[:made], words[made + 1 :])
