"""Frozen dataclasses read from TOML tables: each field declares its limits, and a wrong value is one clear sentence."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING, dataclass, field
from typing import Any

from ailoop_otel.measure import Refusal


def number(default: float | None, low: float, high: float, means: str = "") -> Any:
    """A number from `low` to `high`, a whole one where `low` is one; None as a default stands for none."""
    return field(default=default, metadata={"low": low, "high": high, "means": means})


def numbers(low: float, high: float, means: str = "") -> Any:
    """Any number of numbers from `low` to `high`; none is the default."""
    return field(default=(), metadata={"each": number(None, low, high), "means": means})


def one_of(*choices: str, means: str = "") -> Any:
    """One of a few words; the first is the default."""
    return field(default=choices[0], metadata={"choices": choices, "means": means})


def plain(default: bool | str, means: str) -> Any:
    """True or false, or a text, as its default is."""
    return field(default=default, metadata={"means": means})


def table(kind: Any, default: Any) -> Any:
    """A table of the settings of another dataclass."""
    return field(default=default, metadata={"table": kind})


def tables(kind: Any) -> Any:
    """Any number of tables, each with the settings of another dataclass."""
    return field(default=(), metadata={"tables": kind})


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting for `--set`: its key, its meaning with unit or choices, and its default."""

    key: str
    means: str
    default: str


def settings_of(kind: Any, inside: str = "") -> list[Setting]:
    """The settings of a dataclass in the order of its fields, those of tables in it last."""
    fields = dataclasses.fields(kind)
    inner = [(each.name, each.metadata["table"]) for each in fields if "table" in each.metadata]
    return [*_own(kind, inside), *(found for name, table in inner for found in settings_of(table, f"{inside}{name}."))]


def _own(kind: Any, inside: str) -> Iterator[Setting]:
    for each in dataclasses.fields(kind):
        means = each.metadata.get("means", "")
        choices = f" ({' or '.join(each.metadata['choices'])})" if "choices" in each.metadata else ""
        value = None if each.default == () else each.default
        default = str(value).lower() if isinstance(value, bool | None) else f"{value}"
        if means:
            yield Setting(inside + each.name, means + choices, default.removesuffix(".0"))


def read(kind: Any, values: Mapping[str, Any], where: str, inside: str = "") -> Any:
    """Create a dataclass from a table; raises Refusal that names the file (`where`), the setting and its limits."""
    fields = {each.name: each for each in dataclasses.fields(kind)}
    for key in values:
        if key not in fields:
            raise Refusal(f"{where}: `{inside}{key}` is no setting{meant(key, fields)}; there are {_listed(kind)}")
    missing = [name for name, each in fields.items() if each.default is MISSING and name not in values]
    if missing:
        raise Refusal(f"{where}: `{inside}{missing[0]}` is missing")
    return kind(**{key: _value(fields[key], value, where, inside + key) for key, value in values.items()})


def meant(word: str, known: Iterable[str]) -> str:
    """The question whether the most similar of the known words was meant; empty where none is similar."""
    close = difflib.get_close_matches(word, list(known), 1)
    return f"; did you mean `{close[0]}`?" if close else ""


def _listed(kind: Any) -> str:
    """The keys that a table may have, with those of the tables in it."""
    return ", ".join([each.key for each in settings_of(kind)] or [each.name for each in dataclasses.fields(kind)])


def _value(known: Any, value: Any, where: str, key: str) -> Any:
    limits = known.metadata
    if value is None and known.default is None:
        return None
    if "table" in limits or "tables" in limits:
        return _inner(limits, value, where, key)
    if "each" in limits:
        if not isinstance(value, list | tuple):
            raise Refusal(f"{where}: `{key}` is a list of numbers, [1, 2, 4], not {value!r}")
        return tuple(_value(limits["each"], each, where, key) for each in value)
    if isinstance(known.default, bool):
        wrong = "" if isinstance(value, bool) else "true or false"
    elif "low" in limits:
        wrong = _wrong_number(limits["low"], limits["high"], value)
        value = float(value) if not wrong and isinstance(limits["low"], float) else value
    elif not isinstance(value, str):
        wrong = "text in quotes"
    else:
        choices = limits.get("choices", (value,))
        wrong = "" if value in choices else f"one of {', '.join(filter(None, choices))}"
    if wrong:
        raise Refusal(f"{where}: `{key}` is {wrong}, not {value!r}")
    return value


def _inner(limits: Mapping[str, Any], value: Any, where: str, key: str) -> Any:
    """A table, or tables, inside."""
    if "table" in limits:
        if not isinstance(value, dict):
            raise Refusal(f"{where}: `{key}` is a table of settings, `[{key}]`")
        return read(limits["table"], value, where, f"{key}.")
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise Refusal(f"{where}: {key} are written [[{key}]] with the settings of one below, once for each")
    return tuple(read(limits["tables"], each, where, f"{key}.") for each in value)


def _wrong_number(low: float, high: float, value: Any) -> str:
    """What the value should be; empty where it is a number within the limits."""
    whole = isinstance(low, int)
    kinds = (int,) if whole else (int, float)
    if isinstance(value, kinds) and not isinstance(value, bool) and low <= value <= high:
        return ""
    return f"a {'whole ' if whole else ''}number from {low:g} to {high:g}"
