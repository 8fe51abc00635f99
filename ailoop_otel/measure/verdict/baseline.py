"""The baseline: earlier runs to compare with, and whether they are comparable.

One run is a run directory; several are a directory of run directories, which `measure --runs` writes; both can be one
file, which `save` writes.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from ailoop_otel.measure import Refusal
from ailoop_otel.measure.results import definitions, storage
from ailoop_otel.measure.results.definitions import DEFINITIONS
from ailoop_otel.measure.results.observations import Observation, read_number
from ailoop_otel.measure.results.run import Context, Run
from ailoop_otel.measure.results.whole_file import whole_file
from ailoop_otel.measure.verdict.changes import RULES
from ailoop_otel.recorded.input_file import read_json

FORMAT: Final = 1

# The metrics that are compared, and those that their intervals are computed from.
_KEPT: Final = {rule.definition.name for rule in RULES} | {
    definitions.SEND_DELAY.name,
    definitions.SESSION_START.name,
}
_COLUMNS: Final = ("value", "at", "outcome", "phase")
# Without the kernel: its patch level does not make another machine.
_MACHINE: Final = ("processor", "cores", "cores_usable", "memory", "system", "architecture")
_MEMORY_SLACK: Final = 0.02


def load(path: str | Path) -> list[Run] | None:
    """Read a baseline: a run directory, its run.json, a directory of run directories, or a file that `save` wrote.

    None where the path does not exist. Raises Refusal for anything else at the path, and for runs of different
    scenarios.
    """
    place = Path(path)
    if not os.path.exists(place):
        return None
    if place.is_dir():
        runs = [storage.load(each) for each in run_directories(place) or [place]]
        for each in runs[1:]:
            check_comparable(runs[0], each)
        return runs
    if place.name == storage.RUN:
        return [storage.load(place.parent)]
    try:
        document: Any = read_json(place)
        return [_run(each) for each in document.get("runs", [document])]
    except OSError as error:
        raise Refusal(f"the baseline {place} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise Refusal(
            f"{place} is no baseline ({type(error).__name__}: {error}): give a run directory, or a file that "
            "--save-baseline wrote"
        ) from error


def run_directories(place: Path) -> list[Path]:
    """The run directories at a path: itself, or else those in it; none for anything else."""
    if os.path.isfile(place / storage.RUN):
        return [place]
    return sorted(found.parent for found in place.glob(f"*/{storage.RUN}")) if os.path.isdir(place) else []


def expected(path: str | Path, *written: str | Path | None) -> list[Run] | None:
    """Read a baseline as `load` does; a path that does not exist must be one that this run will write (`written`).

    So the first run of a CI job passes, and a misspelt path does not pass in every run. Raises Refusal.
    """
    found = load(path)
    if found is None and _place(path) not in {_place(each) for each in written if each}:
        raise Refusal(
            f"the baseline {path} is not there: give a run directory, or a file that --save-baseline wrote; the first "
            "run of all names one path both as the baseline and as what it writes"
        )
    return found


def _place(path: str | Path) -> Path:
    """A path in a form that can be compared; `run.json` stands for its directory."""
    place = Path(path).resolve()
    return place.parent if place.name == storage.RUN else place


def save(runs: Sequence[Run], path: str | Path) -> None:
    """Write what a comparison needs of runs into one file, atomically; raises Refusal where it cannot be written."""
    documents = [{"format": FORMAT, "context": asdict(run.context), "metrics": dict(_columns(run))} for run in runs]
    document = documents[0] if len(documents) == 1 else {"runs": documents}
    with whole_file(Path(path)) as draft:
        draft.write_text(json.dumps(document, default=str, separators=(",", ":")) + "\n", encoding="utf-8")


def _columns(run: Run) -> Iterator[tuple[str, dict[str, Any]]]:
    for definition in run.metrics():
        rows = list(run.of(definition))
        if rows and definition.name in _KEPT:
            columns: dict[str, Any] = {name: [getattr(row, name) for row in rows] for name in ("outcome", "phase")}
            columns["value"] = [None if math.isnan(row.value) else round(row.value, 6) for row in rows]
            columns["at"] = [round(row.at, 6) for row in rows]
            yield definition.name, columns | {"unit": definition.unit}


def _run(document: Any) -> Run:
    if document["format"] != FORMAT:
        raise ValueError(f"format {document['format']!r}, and this version reads {FORMAT}")
    context = Context.read(document["context"])
    rows = [row for name, columns in document["metrics"].items() for row in _rows(name, columns)]
    return Run(context, rows)


def _rows(name: str, columns: Mapping[str, Any]) -> Iterator[Observation]:
    if name not in DEFINITIONS:
        return
    for value, at, outcome, phase in zip(*(columns[column] for column in _COLUMNS), strict=True):
        number = math.nan if value is None else read_number(value)
        yield Observation(name, number, str(columns["unit"]), read_number(at), str(outcome), phase)


def check_comparable(one: Run, other: Run) -> None:
    """Raise Refusal for runs of different scenarios, or whose metrics have different units."""
    if one.context.scenario != other.context.scenario:
        raise Refusal(
            f"these are runs of different scenarios, {one.context.scenario!r} and {other.context.scenario!r}: "
            "compare runs of the same one"
        )
    units: dict[str, set[str]] = {}
    for row in (*one.observations, *other.observations):
        units.setdefault(row.metric, set()).add(row.unit)
    for metric, found in units.items():
        if len(found) > 1:
            raise Refusal(f"{metric} is in {' and in '.join(sorted(found))}: measure both runs with the same version")


def other_machine(before: Context, after: Context) -> str:
    """How the machines differ, as a sentence; empty where they are alike or one is unknown."""
    if not before.machine or not after.machine:
        return ""
    pairs = ((name, before.machine.get(name), after.machine.get(name)) for name in _MACHINE)
    parts = [f"{name} {one} and {other}" for name, one, other in pairs if not _alike(name, one, other)]
    if not parts:
        return ""
    return f"the two runs come from different machines ({', '.join(parts)}): times and rates cannot be compared"


def differences(before: Context, after: Context) -> Iterator[str]:
    """Notes for a comparison: machines and settings that differ, and the notes of the first run."""
    if machine := other_machine(before, after):
        yield machine
    if before.source != after.source:
        yield f"one run is from {before.source}, the other from {after.source}"
    pairs = {name: (before.settings.get(name), after.settings.get(name)) for name in before.settings | after.settings}
    parts = [f"{name} {one!r} and {other!r}" for name, (one, other) in sorted(pairs.items()) if one != other]
    if parts:
        yield f"the settings differ: {', '.join(parts)}"
    yield from map(baseline_note, before.notes)


def baseline_note(note: str) -> str:
    """A note of the baseline, for the notes of the run that is compared with it."""
    return f"of the baseline: {note}"


def _alike(name: str, one: Any, other: Any) -> bool:
    if name == "memory" and isinstance(one, (int, float)) and isinstance(other, (int, float)):
        return abs(one - other) <= _MEMORY_SLACK * max(one, other)
    return bool(one == other)
