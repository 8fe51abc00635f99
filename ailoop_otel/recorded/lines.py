"""The lines of a recording, each of bounded length."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ailoop_otel.recorded.input_file import open_input

# A line is one export of a few hundred spans. A longer one was written by something else and must not fill memory.
LONGEST_LINE: Final = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a file; `content` is without the line break, `size` counts all bytes, `number` begins at 1.

    `ended` is false if the line break is missing.
    """

    content: bytes
    size: int
    ended: bool
    number: int

    @property
    def too_long(self) -> bool:
        """Whether it is longer than any export; `content` is then only its beginning."""
        return self.size > LONGEST_LINE


def read_lines(path: Path) -> Iterator[Line]:
    """Read the lines of a file up to its present end; raises OSError if it cannot be read, or not to its end."""
    number = 0
    with open_input(path) as file:
        while piece := file.readline(LONGEST_LINE):
            number += 1
            content, size = piece, len(piece)
            while not piece.endswith(b"\n") and len(piece) == LONGEST_LINE:
                piece = file.readline(LONGEST_LINE)
                size += len(piece)
            yield Line(content.strip(), size, piece.endswith(b"\n"), number)
