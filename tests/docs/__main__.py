"""Writes what the pages show: the output of their commands and the pictures, from the recording. `make docs` runs it.

python -m tests.docs [PAGE…]
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.docs.pages import PAGES, blocks
from tests.docs.pictures import draw
from tests.docs.story import Story


def written(text: str) -> str:
    """A page with the output of its commands; where that varies, only if its first line has other words."""
    if all(block.output is None for block in blocks(text)):
        return text
    pieces, at = [], 0
    with TemporaryDirectory() as folder, Story(text, Path(folder)) as story:
        for block in blocks(text):
            if block.reason:
                continue
            code, output = story.run(block)
            if code != block.code:
                raise SystemExit(f"line {block.line}: exit code {code}, not {block.code}:\n{block.commands}\n{output}")
            if block.output is None:
                continue
            if block.varies and first_line(text[slice(*block.output)]) == first_line(output):
                continue
            pieces += [text[at : block.output[0]], shown(output)]
            at = block.output[1]
    return "".join(pieces) + text[at:]


def shown(output: str) -> str:
    """An output as a page has it: without spaces at the ends of lines."""
    return "".join(f"{line.rstrip()}\n" for line in output.strip("\n").split("\n"))


def first_line(text: str) -> str:
    """The first line of an output without its numbers and ids; null is a number that is not there yet."""
    return re.sub(r"(?:[0-9a-f]{6,}|[\d.,:]+(?:e[-+]?\d+)?,?|\bnull,?)+", "#", text.strip().partition("\n")[0])


def main(words: list[str]) -> None:
    """Write them all, or the pages whose paths contain one of the words."""
    for path in PAGES:
        if not words or any(word in str(path) for word in words):
            text = path.read_text(encoding="utf-8")
            path.write_text(written(text), encoding="utf-8")
    draw()


if __name__ == "__main__":
    main(sys.argv[1:])
