"""What an operator wants to know first: four lines, written from the results as they are kept in JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.benchmarks.rows import instructions, server
from tests.benchmarks.serving.variants import FILES, NONE, OTLP, PEERS, TITLES
from tests.benchmarks.table import interval, number

Document = Mapping[str, Any]


def figure(document: Document, row: str, name: str) -> dict[str, Any] | None:
    """A figure of the results by its row and its name, None where it was not measured."""
    rows = (each for each in document["rows"] if each["name"] == row)
    found: dict[str, Any] | None = next(
        (each for measured in rows for each in measured["figures"] if each["name"] == name), None
    )
    return found


def beyond(document: Document, variant: str) -> dict[str, Any] | None:
    """Instructions of an exchange on the real server beyond those without, per cent."""
    return figure(document, instructions.NAME, instructions.beyond(variant))


def extra_cpu(document: Document, variant: str) -> dict[str, Any] | None:
    """CPU of an exchange on the real server beyond that without, per cent."""
    return figure(document, server.NAME, server.extra(variant))


def lines(document: Document) -> list[str]:
    """What it costs, beside what others cost, and how much of what was to be reached was."""
    said = [_ours(document), _others(document), _small(document), _reached(document)]
    return [f"- {line}" for line in said if line]


def saved(document: Document) -> list[str]:
    """What each fast path saves on the real server, as a table; nothing where it was not measured."""
    rows = []
    for path in instructions.FAST_PATHS:
        found = figure(document, instructions.NAME, instructions.saving(path))
        if found is not None:
            little = f"less than {instructions.LITTLE} %" if found["spread"]["value"] < instructions.LITTLE else ""
            rows.append(f"| `{path}` | {_per_cent(found)} | {interval(found['spread'])} | {little} |")
    if not rows:
        return []
    title = "What each fast path saves on the real server, in per cent of an exchange's instructions:"
    return [title, "", "| fast path | saves | 95 % interval | |", "| --- | ---: | ---: | --- |", *rows]


def _ours(document: Document) -> str:
    whole, alone, cpu = beyond(document, FILES), beyond(document, NONE), extra_cpu(document, FILES)
    parts = [
        f"**{_per_cent(whole)}** more instructions ({interval(whole['spread'])})" if whole else "",
        f"{_per_cent(alone)} where nothing is exported" if alone else "",
        f"{_per_cent(cpu)} more CPU ({interval(cpu['spread'])})" if cpu else "",
    ]
    told = ", ".join(filter(None, parts))
    what = "An exchange of 100 chunks on the real server"
    return f"{what} costs with everything on, written to files: {told}." if told else f"{what} was not measured."


def _others(document: Document) -> str:
    told = []
    for name in (OTLP, *PEERS):
        found, cpu = beyond(document, name), extra_cpu(document, name)
        costs = [f"{_per_cent(found)} instructions" if found else "", f"{_per_cent(cpu)} CPU" if cpu else ""]
        if any(costs):
            told.append(f"{TITLES[name]} {', '.join(filter(None, costs))}")
    return f"Beside it on the same server in the same run: {'; '.join(told)}." if told else ""


def _small(document: Document) -> str:
    chunk = figure(document, "chunk", "times the least coroutine wrapper")
    idle = figure(document, instructions.NAME, instructions.at_rest(FILES))
    parts = [
        f"A further chunk costs {number(chunk['spread']['value'])} times the least coroutine around a send"
        if chunk
        else "",
        f"a server at rest {number(idle['spread']['value'])} million instructions more each second" if idle else "",
    ]
    told = "; ".join(filter(None, parts))
    return f"{told[0].upper()}{told[1:]}." if told else ""


def _reached(document: Document) -> str:
    verdicts = [each["verdict"] for row in document["rows"] for each in row["figures"] if each["verdict"]]
    return f"{verdicts.count('reached')} of {len(verdicts)} figures that have a limit keep to it."


def _per_cent(found: Mapping[str, Any]) -> str:
    return f"{found['spread']['value']:+.1f} %"
