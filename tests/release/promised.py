"""The names of telemetry that a version has: one file for each version, which later versions are held to."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final

from ailoop_otel import names
from ailoop_otel.version import __version__
from tests.release.artifacts import ROOT

FOLDER: Final = Path(__file__).parent / "names"
CHANGELOG: Final = ROOT / "CHANGELOG.md"
Names = dict[str, dict[str, Any]]


def current() -> Names:
    """The names of the code: kind of name, name, and what may not change of it."""
    return {
        "spans": {each.name: "" for each in names.SPANS},
        "outcomes": {each.name: "" for each in names.OUTCOMES},
        "attributes": {each.name: each.unit for each in names.ATTRIBUTES},
        "metrics": {each.name: [each.kind, each.unit] for each in names.METRICS},
        "events": {each.name: "" for each in names.EVENTS},
        "settings": {each.name: each.unit for each in names.SETTINGS},
    }


def broken(promised: Names, kept: Names, changelog: str) -> list[str]:
    """One sentence for each promised name that is gone or means something else, and that no section *Removed* names."""
    sections = re.findall(r"^### Removed\n(.*?)(?=^##|\Z)", changelog, re.MULTILINE | re.DOTALL)
    removed = set(re.findall(r"`([^`]+)`", "\n".join(sections)))
    found = []
    for kind, entries in promised.items():
        for name, meaning in entries.items():
            if name in removed:
                continue
            if name not in kept.get(kind, {}):
                found.append(f"{kind}: {name} is gone, and no section *Removed* of the changelog names it")
            elif kept[kind][name] != meaning:
                found.append(f"{kind}: {name} was {meaning} and is {kept[kind][name]}")
    return found


def write() -> Path:
    """Write the names of this version."""
    path = FOLDER / f"{__version__}.json"
    path.write_text(json.dumps(current(), indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return path
