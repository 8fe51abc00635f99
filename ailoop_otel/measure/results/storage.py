"""The run directory: writes a run into files and reads it back.

run.json            the context, the histograms (HdrHistogram V2, base64) and the version of this format
observations.csv    one row per observation, with its unit; the value is empty where the event never came
observations.json   the same as JSON: {"observations": [...]}; null where the event never came
"""

from __future__ import annotations

import csv
import json
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, Final, TextIO

from ailoop_otel.measure import Refusal
from ailoop_otel.measure.results import histograms
from ailoop_otel.measure.results.observations import Observation
from ailoop_otel.measure.results.run import Context, Run

FORMAT: Final = 1
RUN, TABLE, DOCUMENT = "run.json", "observations.csv", "observations.json"
_NUMBERS: Final = ("session", "exchange", "process")


def save(run: Run, directory: Path) -> None:
    """Write a run into a directory, which is created if necessary; each file is written atomically.

    Raises Refusal where the directory or a file cannot be written.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Refusal(f"{directory} cannot be made: {error.strerror}; give another directory") from error
    _write(directory / TABLE, lambda file: _write_table(file, run.observations))
    _write(directory / DOCUMENT, lambda file: _write_document(file, run.observations))
    head = {
        "format": FORMAT,
        "context": asdict(run.context),
        "histograms": {name: histograms.written(each) for name, each in run.histograms.items()},
    }
    # Last, so that a directory with this file holds the others too.
    _write(directory / RUN, lambda file: json.dump(head, file, indent=1, default=str))


def load(directory: Path) -> Run:
    """Read a run directory; raises Refusal for one that is not a run directory or is damaged."""
    head = _head(directory / RUN)
    known = {field.name for field in fields(Context)}
    context = {name: value for name, value in head["context"].items() if name in known}
    try:
        found = {name: histograms.read(text) for name, text in head.get("histograms", {}).items()}
        made = Context(**{**context, "notes": tuple(context.get("notes", ()))})
        with (directory / TABLE).open(encoding="utf-8", newline="") as file:
            return Run(made, list(_read_table(file)), found)
    except OSError as error:
        raise Refusal(f"{directory / TABLE} cannot be read: {error.strerror}; measure again") from error
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise Refusal(f"{directory} is a damaged run directory ({error}); measure again") from error


def _head(path: Path) -> dict[str, Any]:
    try:
        head = json.loads(path.read_text(encoding="utf-8"))
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


def _write(path: Path, write: Callable[[TextIO], None]) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with draft.open("w", encoding="utf-8", newline="") as file:
            write(file)
        draft.replace(path)
    except OSError as error:
        raise Refusal(f"{path} cannot be written: {error.strerror}; give another directory") from error
    finally:
        draft.unlink(missing_ok=True)


def _write_table(file: TextIO, observations: Iterable[Observation]) -> None:
    rows = csv.writer(file)
    rows.writerow(Observation._fields)
    rows.writerows(each._replace(value=_cell(each.value), at=round(each.at, 6)) for each in observations)


def _write_document(file: TextIO, observations: Iterable[Observation]) -> None:
    """Write one observation per line, so that a large document can be read line by line."""
    file.write('{"observations": [')
    for number, each in enumerate(observations):
        row = each._asdict() | {"value": None if math.isnan(each.value) else each.value, "at": round(each.at, 6)}
        file.write(("\n" if number == 0 else ",\n") + json.dumps(row))
    file.write("\n]}\n")


def _cell(value: float) -> Any:
    return "" if math.isnan(value) else value


def _read_table(file: TextIO) -> Iterator[Observation]:
    for row in csv.DictReader(file):
        yield _observation(row)


def _observation(row: Mapping[str, str]) -> Observation:
    """Read one row; raises KeyError for a missing column and ValueError for a text that is no number."""
    values: dict[str, Any] = {name: row[name] for name in Observation._fields}
    values["value"] = float(row["value"]) if row["value"] else math.nan
    values["at"] = float(row["at"])
    values |= {name: int(row[name]) for name in _NUMBERS}
    return Observation(**values)
