"""What the proofs found when they were last run: docs/results/*.json, of which the page is made."""

from __future__ import annotations

import datetime
import json
import platform
from pathlib import Path
from typing import Any

from ailoop_otel.version import __version__

WHOLE = "whole"
RESULTS = Path(__file__).parents[2] / "docs" / "results"
Result = dict[str, Any]


def about(what: str) -> Result:
    """What each result begins with."""
    date = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
    return {"what": what, "date": date, "version": __version__, "python": platform.python_version()}


def keep(result: Result, path: Path) -> None:
    """Write a result: each of its fields is a line, and each item of a list."""
    fields = []
    for name, value in result.items():
        if isinstance(value, list) and value:
            items = ",\n".join(f"  {json.dumps(item, ensure_ascii=False)}" for item in value)
            fields.append(f'"{name}": [\n{items}\n ]')
        else:
            fields.append(f'"{name}": {json.dumps(value, ensure_ascii=False)}')
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{\n " + ",\n ".join(fields) + "\n}\n", encoding="utf-8")


def results(folder: Path = RESULTS) -> dict[str, Result]:
    """The results that there are, by the names of their files."""
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))}
