"""Writes docs/json.md from the JSON Schema of what the commands print."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from tests.reference import section

DOCS: Final = Path(__file__).parent.parent / "docs"
PATH: Final = DOCS / "json.md"
SCHEMA: Final[dict[str, Any]] = json.loads((DOCS / "json.schema.json").read_text(encoding="utf-8"))
_HEAD: Final = """# JSON for scripts

What the commands print with `--json`: one object a line, or from `compare` and `ab` one over several lines. The member
`kind` says which of these it is. Times are ISO 8601 in UTC, and members that end with `_s` are seconds. A member is
always there; it is null where it does not apply. [A JSON Schema](json.schema.json) says the same for programs: this
page is made from it by `make docs` (do not edit), and outputs are tested against it.
"""


def page() -> str:
    """The whole page, markdown."""
    return "\n".join([_HEAD, *(line for kind, schema in SCHEMA["$defs"].items() for line in _section(kind, schema))])


def _section(kind: str, schema: dict[str, Any]) -> Iterator[str]:
    title, *table = section(kind, ("member", "type", "description"), _rows(schema["properties"], ""))
    yield from (title, f"{schema['description']}\n", *table)


def _rows(members: dict[str, Any], before: str) -> Iterator[tuple[str, ...]]:
    for name, member in members.items():
        if "const" in member:
            continue
        values = ", ".join(f"`{value}`" for value in member.get("enum", ()))
        yield f"`{before}{name}`", _type(member), "; ".join(filter(None, (member["description"], values)))
        yield from _rows(member.get("properties", {}), f"{before}{name}.")
        yield from _rows(member.get("items", {}).get("properties", {}), f"{before}{name}[].")


def _type(member: dict[str, Any]) -> str:
    types = member["type"] if isinstance(member["type"], list) else [member["type"]]
    return " or ".join("time" if each == "string" and "format" in member else each for each in types)


if __name__ == "__main__":
    PATH.write_text(page(), encoding="utf-8")
