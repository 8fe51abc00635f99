"""Whether two runs may be compared: scenario, units, settings, machine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from ailoop_otel.measure import Refusal
from ailoop_otel.measure.results.run import Context, Run

# A kernel's patch level makes no other machine.
_MACHINE: Final = ("processor", "cores", "cores_usable", "memory", "system", "architecture")
_MEMORY_SLACK: Final = 0.02


def check(one: Run, other: Run) -> None:
    """Refusal for runs of different scenarios, or whose metrics have different units."""
    if one.context.scenario != other.context.scenario:
        raise Refusal(
            f"these are runs of different scenarios, {one.context.scenario!r} and {other.context.scenario!r}: "
            "compare runs of the same one"
        )
    before, after = _units(one), _units(other)
    for metric in sorted(before.keys() & after.keys()):
        if before[metric] != after[metric]:
            raise Refusal(
                f"{metric} is in {' and '.join(sorted(before[metric]))} in one run and in "
                f"{' and '.join(sorted(after[metric]))} in the other: measure both with the same version"
            )


def other_machine(before: Context, after: Context) -> str:
    """How the machines differ, as a sentence; empty where they are alike or one is not known."""
    if not before.machine or not after.machine:
        return ""
    parts = [
        f"{name} {before.machine.get(name)} and {after.machine.get(name)}"
        for name in _MACHINE
        if not _alike(name, before.machine.get(name), after.machine.get(name))
    ]
    if not parts:
        return ""
    return f"the two runs come from different machines ({', '.join(parts)}): times and rates cannot be compared"


def differences(before: Context, after: Context) -> Iterator[str]:
    """What a reader must know before comparing: machines and settings that differ, and remarks on the first."""
    machine = other_machine(before, after)
    if machine:
        yield machine
    if before.source != after.source:
        yield f"one run is from {before.source}, the other from {after.source}"
    names = sorted(before.settings.keys() | after.settings.keys())
    parts = [
        f"{name} {before.settings.get(name)!r} and {after.settings.get(name)!r}"
        for name in names
        if before.settings.get(name) != after.settings.get(name)
    ]
    if parts:
        yield f"the settings differ: {', '.join(parts)}"
    yield from map(of_baseline, before.notes)


def of_baseline(note: str) -> str:
    """A remark on the baseline, told beside those on the run that is held against it."""
    return f"of the baseline: {note}"


def _alike(name: str, one: Any, other: Any) -> bool:
    if name == "memory" and isinstance(one, (int, float)) and isinstance(other, (int, float)):
        return abs(one - other) <= _MEMORY_SLACK * max(one, other)
    return bool(one == other)


def _units(run: Run) -> dict[str, set[str]]:
    units: dict[str, set[str]] = {}
    for row in run.observations:
        units.setdefault(row.metric, set()).add(row.unit)
    return units
