"""The run directory: writes a run into files and reads it back.

run.json            the context, the histograms (HdrHistogram V2, base64) and the version of this format
observations.csv    one row per observation, with its unit; the value is empty where the event never came
observations.json   the same as JSON: {"observations": [...]}; null where the event never came
levels.csv          the levels of a ramp, if there was one: the fields of `LevelFigures`, in its units
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, astuple, fields
from io import TextIOWrapper
from pathlib import Path
from typing import Any, Final

from ailoop_otel.measure import Refusal
from ailoop_otel.measure.results import histograms
from ailoop_otel.measure.results.level_figures import LevelFigures
from ailoop_otel.measure.results.observations import Observation, read_number
from ailoop_otel.measure.results.run import Context, Run
from ailoop_otel.measure.results.whole_file import whole_file
from ailoop_otel.recorded.input_file import open_regular, read_json

FORMAT: Final = 1
RUN, TABLE, DOCUMENT, LEVELS = "run.json", "observations.csv", "observations.json", "levels.csv"
_NUMBERS: Final = ("session", "exchange", "process")
# What begins so is a formula to a spreadsheet, or was escaped as one.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "'")


def save(run: Run, directory: Path) -> None:
    """Write a run into a directory, which is created if necessary; each file is written atomically.

    Raises Refusal where the directory or a file cannot be written.
    """
    rows = (each._replace(at=round(each.at, 6)) for each in run.observations)
    _write_table(directory / TABLE, Observation._fields, rows)
    _write_document(directory / DOCUMENT, run.observations)
    if run.context.levels:
        _write_table(directory / LEVELS, [each.name for each in fields(LevelFigures)], map(astuple, run.context.levels))
    head = {
        "format": FORMAT,
        "context": asdict(run.context),
        "histograms": {name: histograms.written(each) for name, each in run.histograms.items()},
    }
    # Last, so that a directory with this file holds the others too.
    with whole_file(directory / RUN) as draft:
        draft.write_text(json.dumps(head, indent=1, default=str), encoding="utf-8")


def load(directory: Path) -> Run:
    """Read a run directory; raises Refusal for one that is not a run directory or is damaged."""
    head = _head(directory / RUN)
    try:
        found = {name: histograms.read(text) for name, text in head.get("histograms", {}).items()}
        context = Context.read(head["context"])
        with TextIOWrapper(open_regular(directory / TABLE), encoding="utf-8", newline="") as file:
            return Run(context, list(map(_observation, csv.DictReader(file))), found)
    except OSError as error:
        raise Refusal(f"{directory / TABLE} cannot be read: {error.strerror}; measure again") from error
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, csv.Error) as error:
        raise Refusal(f"{directory} is a damaged run directory ({error}); measure again") from error


def _head(path: Path) -> dict[str, Any]:
    try:
        head = read_json(path)
    except OSError as error:
        raise Refusal(
            f"{path.parent} is no run directory: {path.name} cannot be read ({error.strerror}); "
            "give the directory that `ailoop-otel measure --out` wrote"
        ) from error
    except ValueError as error:
        raise Refusal(f"{path} is damaged ({error}); measure again") from error
    if not isinstance(head, dict) or not isinstance(head.get("context"), dict) or "format" not in head:
        raise Refusal(f"{path} was not written by `ailoop-otel measure`; give a run directory")
    if head["format"] != FORMAT:
        raise Refusal(
            f"{path} has format {head['format']}, and this version reads {FORMAT}; "
            "use the version of ailoop-otel that wrote it"
        )
    return head


def _write_table(path: Path, columns: Sequence[str], rows: Iterable[Iterable[object]]) -> None:
    with whole_file(path) as draft, draft.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(columns)
        table.writerows(map(_cell, row) for row in rows)


def _write_document(path: Path, observations: Iterable[Observation]) -> None:
    """Write one observation per line, so that a large document can be read line by line."""
    with whole_file(path) as draft, draft.open("w", encoding="utf-8") as file:
        file.write('{"observations": [')
        for number, each in enumerate(observations):
            row = each._asdict() | {"value": None if math.isnan(each.value) else each.value, "at": round(each.at, 6)}
            file.write(("\n" if number == 0 else ",\n") + json.dumps(row))
        file.write("\n]}\n")


def _cell(value: object) -> object:
    """A cell that no spreadsheet computes: https://owasp.org/www-community/attacks/CSV_Injection; empty for NaN."""
    if isinstance(value, float) and math.isnan(value):
        return ""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _uncell(text: str) -> str:
    return text[1:] if text.startswith("'") and text.startswith(_FORMULA, 1) else text


def _observation(row: Mapping[str, str]) -> Observation:
    """Read one row; raises KeyError for a missing column and ValueError for a text that is no number."""
    values: dict[str, Any] = {name: _uncell(row[name]) for name in Observation._fields}
    values["value"] = read_number(row["value"]) if row["value"] else math.nan
    values["at"] = read_number(row["at"])
    values |= {name: int(row[name]) for name in _NUMBERS}
    return Observation(**values)
