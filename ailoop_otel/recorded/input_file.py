"""Opens the files that a user names or a directory holds: regular ones only, compressed or not."""

from __future__ import annotations

import errno
import gzip
import json
import os
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, cast

_GZIP: Final = b"\x1f\x8b"
_KINDS: Final = (
    (stat.S_ISDIR, "directory"),
    (stat.S_ISFIFO, "pipe"),
    (stat.S_ISSOCK, "socket"),
    (stat.S_ISCHR, "device"),
    (stat.S_ISBLK, "device"),
)


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
