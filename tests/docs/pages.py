"""The pages of the documentation, and the command blocks in them.

A block of ```sh is run, in the order of its page, in a fresh folder; what stands in ```text after it is what it prints.
A comment on the line before says what differs, parts separated by semicolons:

    <!-- not run: needs Docker -->          why it is not run
    <!-- exit 1 -->                         the exit code, else 0
    <!-- output varies -->                  only the first line is compared, without its numbers
    <!-- shortened with: --set duration=3 -->   what a run of the test adds to the last command
    <!-- folder: recording -->              from here on the recording of `tests/docs/record.py` is in ailoop-telemetry/

The last one may stand before a text too, and holds for the page then. A block whose first line is a comment with a
file's name (`# targets.toml`) is that file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parent.parent.parent
DOCS: Final = ROOT / "docs"
# Pages that another command writes, or whose blocks other tests run.
_ELSEWHERE: Final = {"telemetry.md", "performance.md", "reliability.md", "mutants.md", "dialects.md", "architecture.md"}
PAGES: Final = sorted(
    [path for path in DOCS.rglob("*.md") if path.name not in _ELSEWHERE]
    + [ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
)
_BLOCK: Final = re.compile(
    r"(?:^ *<!-- (?P<marker>[^\n]*) -->\n)?^(?P<indent> *)```sh\n(?P<commands>.*?)^(?P=indent)```\n"
    r"(?:\n?(?P=indent)```text\n(?P<output>.*?)^(?P=indent)```\n)?",
    re.DOTALL | re.MULTILINE,
)
_FILE: Final = re.compile(r"^```(?:toml|python|json)\n# (?P<name>[\w.-]+)\n.*?^```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """One block of commands: where its output stands in the page (None: none is shown), and what its marker says."""

    line: int
    commands: str
    output: tuple[int, int] | None
    reason: str = ""
    code: int = 0
    varies: bool = False
    shortened: str = ""
    recording: bool = False


def blocks(text: str) -> Iterator[Block]:
    """The command blocks of a page, in their order; raises ValueError for a marker that means nothing."""
    for match in _BLOCK.finditer(text):
        indent = match["indent"]
        commands = re.sub(rf"^{indent}", "", match["commands"], flags=re.MULTILINE)
        output = match.span("output") if match["output"] is not None else None
        line = text.count("\n", 0, match.start("commands"))
        yield Block(line, commands, output, **_settings(match["marker"] or ""))


def files(text: str) -> dict[str, str]:
    """The files that a page shows whole, by their names."""
    return {match["name"]: match[0].partition("\n")[2][: -len("```")] for match in _FILE.finditer(text)}


def begins_with_recording(text: str) -> bool:
    """Whether the commands of a page find recorded telemetry."""
    return re.search(r"^<!-- folder: recording -->\n\n(?!```)", text, re.MULTILINE) is not None


def _settings(marker: str) -> dict[str, Any]:
    if marker.startswith("not run: "):
        return {"reason": marker.removeprefix("not run: ")}
    settings: dict[str, Any] = {}
    for part in filter(None, (each.strip() for each in marker.split("; "))):
        if part.startswith("exit "):
            settings["code"] = int(part.removeprefix("exit "))
        elif part == "output varies":
            settings["varies"] = True
        elif part.startswith("shortened with: "):
            settings["shortened"] = part.removeprefix("shortened with: ")
        elif part == "folder: recording":
            settings["recording"] = True
        else:
            raise ValueError(f"<!-- {marker} --> means nothing here")
    return settings
