"""Targets: the limit of each figure of a metric, and how much worse than a baseline it may be.

[first_chunk]                       # a metric, in every scenario
p95 = "2 s"                         # at most, since lower is better
tolerance = "15 %"                  # how much worse than the baseline it may be

[message_rate]
value = "20 /s"                     # at least, since higher is better

[scenarios.soak.memory_growth]      # in one scenario; overrides the target for all
value = "10 kB/s"

[session_duration]
p50 = ">= 10 min"                   # where neither is better, write the sign
"""

from __future__ import annotations

import difflib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any, Final

from ailoop_otel.measure import Refusal
from ailoop_otel.measure.results.definitions import DEFINITIONS, Definition
from ailoop_otel.measure.results.quantities import quantity
from ailoop_otel.measure.statistics.percentiles import PERCENTILES
from ailoop_otel.recorded.input_file import read_text

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

DEFAULT: Final = "default"
VALUE: Final = "value"
FIGURES: Final = ("mean", *PERCENTILES, "max", "min")
TOLERANCE: Final = "tolerance"
SCENARIOS: Final = "scenarios"

_SIGNS: Final = {"<=": "lower", "≤": "lower", ">=": "higher", "≥": "higher"}


@dataclass(frozen=True, slots=True)
class Target:
    """The limit of one figure in the metric's unit: an upper limit if `at_most`, else a lower one."""

    metric: str
    figure: str
    limit: float
    at_most: bool


@dataclass(frozen=True, slots=True)
class Targets:
    """The targets of one scenario; `tolerances` are shares (0.1 is ten per cent) by metric.

    With `if_observed`, what was not observed in a run is not judged; else it is inconclusive.
    """

    targets: tuple[Target, ...] = ()
    tolerances: Mapping[str, float] | None = None
    if_observed: bool = False

    def tolerance(self, metric: str, default: float) -> float:
        """How much worse than its baseline a metric may be, as a share."""
        return (self.tolerances or {}).get(metric, default)

    def limit(self, metric: str, figure: str) -> float | None:
        """The limit of one figure, None where there is no target."""
        return next((each.limit for each in self.targets if (each.metric, each.figure) == (metric, figure)), None)


def load(path: str | Path, scenario: str) -> Targets:
    """Read a file of targets for one scenario; raises Refusal for a file or an entry that is not valid.

    The path `default` stands for the targets that come with the package (`default_targets.toml`).
    """
    if str(path) == DEFAULT:
        text = (resources.files(__package__) / "default_targets.toml").read_text(encoding="utf-8")
        return replace(parse(tomllib.loads(text), scenario), if_observed=True)
    try:
        document = tomllib.loads(read_text(Path(path)))
    except OSError as error:
        raise Refusal(f"cannot read the targets {path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise Refusal(f"{path} is not TOML: {error}") from None
    try:
        return parse(document, scenario)
    except ValueError as error:
        raise Refusal(f"{path}: {error}") from None


def parse(document: Mapping[str, Any], scenario: str) -> Targets:
    """Read the targets of one scenario from a document, all of which is checked.

    Raises ValueError that names the entry and the correction.
    """
    general = {name: table for name, table in document.items() if name != SCENARIOS}
    special = _table(document.get(SCENARIOS, {}), SCENARIOS)
    found, tolerances = _read(general, "")
    for name, tables in special.items():
        where = f"{SCENARIOS}.{name}"
        targets, allowed = _read(_table(tables, where), f"{where}.")
        if name == scenario:
            found |= targets
            tolerances |= allowed
    return Targets(tuple(found.values()), tolerances)


def share(value: object) -> float:
    """Read a tolerance (`10 %`) as a share; raises ValueError for anything else."""
    if not isinstance(value, str) or not value.strip().endswith("%"):
        raise ValueError(f'{value!r} is no tolerance: write "10 %"')
    read = quantity(value, "1")
    if not 0 <= read < 10:
        raise ValueError(f'a tolerance of {value!r} makes no sense: write "10 %"')
    return read


def _read(tables: Mapping[str, Any], where: str) -> tuple[dict[tuple[str, str], Target], dict[str, float]]:
    """The targets by metric and figure, and the tolerances by metric; `where` is what their tables stand below."""
    targets: dict[tuple[str, str], Target] = {}
    tolerances: dict[str, float] = {}
    for name, table in tables.items():
        if name not in DEFINITIONS:
            guess = _guess(name, [*DEFINITIONS, SCENARIOS])
            raise ValueError(f"[{where}{name}]: there is no metric {name!r}{guess}")
        figures = (VALUE,) if DEFINITIONS[name].each == "run" else FIGURES
        for figure, value in _table(table, where + name).items():
            entry = f"[{where}{name}] {figure}"
            if figure not in (*figures, TOLERANCE):
                raise ValueError(f"{entry}: {name} has no such figure{_guess(figure, figures)}")
            try:
                if figure == TOLERANCE:
                    tolerances[name] = share(value)
                else:
                    targets[name, figure] = _target(DEFINITIONS[name], figure, value)
            except ValueError as error:
                raise ValueError(f"{entry} = {error}") from None
    return targets, tolerances


def _target(definition: Definition, figure: str, value: object) -> Target:
    better, text = _direction(definition, value)
    return Target(definition.name, figure, quantity(text, definition.unit), better == "lower")


def _direction(definition: Definition, value: object) -> tuple[str, str]:
    """Split a target into its direction, `lower` for at most and `higher` for at least, and its value."""
    text = str(value).strip() if isinstance(value, (str, int, float)) and not isinstance(value, bool) else ""
    if not text:
        raise ValueError(f"{value!r} is no value with its unit in quotes")
    for sign, better in _SIGNS.items():
        if text.startswith(sign):
            return better, text[len(sign) :]
    if definition.better == "neither":
        raise ValueError(f'{text!r} could mean two things: write "<= {text}" or ">= {text}"')
    return definition.better, text


def _table(value: object, name: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f'{name} = {value!r} stands alone: targets stand in a table, [first_chunk] p95 = "2 s"')
    return value


def _guess(word: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(word, known, 1)
    return f": did you mean {close[0]!r}?" if close else f": take one of {', '.join(known)}"
