"""Opens the files that a user names or a directory holds, and reads them by lines of bounded length.

Regular files only, compressed or not.
"""

from __future__ import annotations

import errno
import gzip
import json
import os
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, cast

# A line is one export of a few hundred spans. A longer one was written by something else and must not fill memory.
LONGEST_LINE: Final = 64 * 1024 * 1024
_GZIP: Final = b"\x1f\x8b"
_KINDS: Final = (
    (stat.S_ISDIR, "directory"),
    (stat.S_ISFIFO, "pipe"),
    (stat.S_ISSOCK, "socket"),
    (stat.S_ISCHR, "device"),
    (stat.S_ISBLK, "device"),
)


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


class _Compressed(gzip.GzipFile):
    """Raises OSError with a reason where the content ends too early or is damaged; what comes before can be read."""

    def readline(self, size: int | None = -1) -> bytes:
        try:
            line = super().readline(size)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise OSError(errno.EIO, "compressed, and cut off or damaged: read up to there") from error
        if len(line) == size and not line.endswith(b"\n"):
            # A small file may hold thousands of times its size of nothing.
            raise OSError(errno.EFBIG, "compressed, and a line is too long: read up to there")
        return line


def open_regular(path: Path) -> BinaryIO:
    """Open a file to read its bytes; raises OSError, which names the kind of file, for all but regular ones.

    A pipe would wait for its writer for ever, and a device may never end.
    """
    return open(path, "rb", opener=_open_regular)


@contextmanager
def open_input(path: Path) -> Iterator[BinaryIO]:
    """Open a regular file, whose content gzip may have compressed, to read its lines; raises OSError."""
    with open_regular(path) as file:
        if file.read(len(_GZIP)) == _GZIP:
            file.seek(0)
            with _Compressed(fileobj=file, mode="rb") as content:
                yield cast("BinaryIO", content)
        else:
            file.seek(0)
            yield file


def read_lines(path: Path) -> Iterator[Line]:
    """Read the lines of a file up to its present end; raises OSError if it cannot be read, or not to its end."""
    with open_input(path) as file:
        yield from lines_of(file)


def lines_of(file: BinaryIO) -> Iterator[Line]:
    """Read the lines of an open file from its position up to its present end."""
    number = 0
    while piece := file.readline(LONGEST_LINE):
        number += 1
        content, size = piece, len(piece)
        while not piece.endswith(b"\n") and len(piece) == LONGEST_LINE:
            piece = file.readline(LONGEST_LINE)
            size += len(piece)
        yield Line(content.strip(), size, piece.endswith(b"\n"), number)


def read_text(path: Path) -> str:
    """The text of a regular file in UTF-8; raises OSError, and ValueError for what is no UTF-8."""
    with open_regular(path) as file:
        return file.read().decode()


def read_json(path: Path) -> object:
    """The JSON document in a regular file; raises OSError, and ValueError for what is no JSON in UTF-8."""
    try:
        document: object = json.loads(read_text(path))
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return document


def _open_regular(name: str, flags: int) -> int:
    mode = os.stat(name).st_mode
    if not stat.S_ISREG(mode):
        kind = next((kind for is_kind, kind in _KINDS if is_kind(mode)), "special file")
        raise OSError(errno.EINVAL, f"a {kind}, and no regular file")
    # A pipe may have taken its place since.
    return os.open(name, flags | getattr(os, "O_NONBLOCK", 0))
