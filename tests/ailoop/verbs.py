"""From a directive to its behaviour and back."""

from __future__ import annotations

import json
from dataclasses import asdict, fields

from .behaviours import (
    Behaviour,
    Billed,
    CallTool,
    Cut,
    Drop,
    Empty,
    ErrorEvent,
    Fail,
    Garbage,
    Hang,
    Say,
    Stall,
    Structured,
)
from .directives import Directive, parse_directive

_VERBS: dict[str, type[Behaviour]] = {
    kind.verb: kind
    for kind in (Say, Empty, Structured, CallTool, Hang, Stall, Cut, Drop, Fail, ErrorEvent, Garbage, Billed)
}


def behaviour_of(directive: Directive | str) -> Behaviour:
    """Return the behaviour that a directive asks for; an unknown verb or setting raises ValueError."""
    if isinstance(directive, str):
        directive = parse_directive(directive)
    kind = _VERBS.get(directive.verb)
    if kind is None:
        raise ValueError(f"unknown behaviour {directive.verb!r}; one of {', '.join(_VERBS)}")
    known = {each.name for each in fields(kind)}
    if unknown := set(directive.settings) - known:
        raise ValueError(f"{directive.verb} has no setting {', '.join(sorted(unknown))}")
    settings = dict(directive.settings)
    if "id" in settings:
        settings["id"] = str(settings["id"])
    return kind(**settings)


def describe(behaviour: Behaviour) -> str:
    """Return the directive that asks for this behaviour, with the settings that differ from the defaults."""
    usual = asdict(type(behaviour)())
    changed = {key: value for key, value in asdict(behaviour).items() if value != usual[key]}
    words = [behaviour.verb] + [f"{key}={json.dumps(value)}" for key, value in changed.items()]
    return f"[[{' '.join(words)}]]"
