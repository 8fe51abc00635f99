"""The cells of the compatibility table: which server, on which Python, with which versions of what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tomllib
from packaging.requirements import Requirement

from tests.ailoop.process import DELEGATES, STATELESS
from tests.starts.cells import PYTHONS, USUAL, UVICORN

_PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
# What is installed into a server: the package's own ranges, and those of its commands.
RANGES = tuple(map(Requirement, [*_PROJECT["dependencies"], *_PROJECT["optional-dependencies"]["cli"]]))
GENERATIONS = {STATELESS: "current", DELEGATES: "earlier"}
AILOOP, INTERPRETERS, WEB, OWN = "AILoop", "Pythons", "Web stack", "What the package itself needs"
# What the stand-in needs.
STACK = ("fastapi", "starlette", "uvicorn", "websockets", "requests")
# The package has no ranges for these. It promises to work from the FastAPI on that AILoop was written for, with the
# starlette that this needs, from the uvicorn that AILoop's mcp needs, and from the WebSockets that `measure` needs.
WEB_OLDEST = ("fastapi==0.115.0", "starlette==0.37.2", "uvicorn==0.23.1", "websockets==13.0")
WEB_PINS = ("fastapi<0.116", "starlette<0.47")
# README's pins: without them the current generation does not start, or is not what it was written for.
PINS = {STATELESS: (*WEB_PINS, "mcp<2", "fastmcp<3"), DELEGATES: WEB_PINS}
SHOWN = ("fastapi", "starlette", "uvicorn", "websockets", "opentelemetry-sdk")


@dataclass(frozen=True)
class Cell:
    """One server with `requirements` beside the package; those of a real server's checkout are added to them.

    `arguments` of Python start it in another way than its own; `shown` are the packages whose versions the table shows.
    """

    group: str
    title: str
    requirements: tuple[str, ...] = STACK
    dialect: str = STATELESS
    real: bool = False
    python: str = USUAL
    arguments: tuple[str, ...] = ()
    shown: tuple[str, ...] = SHOWN


def oldest(requirement: Requirement) -> str:
    """The requirement of exactly the lower bound."""
    (bound,) = (each.version for each in requirement.specifier if each.operator == ">=")
    return f"{requirement.name}=={bound}"


def _real(dialect: str, what: str, requirements: tuple[str, ...], group: str = AILOOP, python: str = USUAL) -> Cell:
    shown = (*SHOWN, "mcp") if dialect == STATELESS else SHOWN
    return Cell(group, f"{GENERATIONS[dialect]} AILoop, {what}", requirements, dialect, True, python, shown=shown)


def _web(title: str, *requirements: str, dialect: str = STATELESS) -> Cell:
    return Cell(WEB, title, (*STACK, *requirements), dialect)


def _spoken(protocol: str, *requirements: str) -> Cell:
    arguments = (*UVICORN, "--ws", protocol)
    shown = ("uvicorn", *requirements)
    return Cell(WEB, f"`uvicorn --ws {protocol}`", (*STACK, *requirements), arguments=arguments, shown=shown)


def _own(title: str, ranges: Sequence[Requirement]) -> Cell:
    shown = tuple(each.name for each in ranges)
    return Cell(OWN, f"oldest {title}", (*STACK, *map(oldest, ranges)), shown=shown)


_TELEMETRY = [each for each in RANGES if each.name.startswith("opentelemetry-")]
_OTHERS = [each for each in RANGES if each not in _TELEMETRY]
_OLDEST = (*STACK, *WEB_OLDEST, *map(oldest, RANGES))
CELLS = (
    *(
        _real(dialect, what, requirements)
        for dialect in GENERATIONS
        for what, requirements in (("its pins", PINS[dialect]), ("newest of everything", ()))
    ),
    _real(STATELESS, "newest of everything but mcp and fastmcp", ("mcp<2", "fastmcp<3")),
    *(
        cell
        for python in PYTHONS
        for cell in (
            Cell(INTERPRETERS, f"stand-in on {python}, newest of everything", python=python),
            *(
                _real(dialect, f"its pins, on {python}", PINS[dialect], INTERPRETERS, python)
                for dialect in GENERATIONS
                if python != USUAL
            ),
        )
    ),
    Cell(INTERPRETERS, "stand-in on python3.14, newest of everything", python="python3.14"),
    Cell(INTERPRETERS, f"stand-in on {PYTHONS[0]}, oldest of everything", _OLDEST, python=PYTHONS[0]),
    _web("earlier stand-in, newest of everything", dialect=DELEGATES),
    _web("stand-in, AILoop's pins", *WEB_PINS),
    Cell(WEB, "stand-in, oldest of everything", _OLDEST),
    Cell(WEB, "earlier stand-in, oldest of everything", _OLDEST, DELEGATES),
    _web("oldest fastapi", WEB_OLDEST[0]),
    _web("oldest starlette", WEB_OLDEST[1], WEB_PINS[0]),
    _web("oldest uvicorn", WEB_OLDEST[2]),
    _web("oldest websockets", WEB_OLDEST[3]),
    _spoken("websockets"),
    _spoken("websockets-sansio"),
    _spoken("wsproto", "wsproto"),
    _own("OpenTelemetry", _TELEMETRY),
    *(_own(each.name, [each]) for each in _OTHERS),
)
