"""Files that are written completely or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ailoop_otel.measure import Refusal


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a draft beside `path` to write to, which replaces it unless the block raises; its directory is made.

    Raises Refusal where it cannot be written.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield draft
        draft.replace(path)
    except OSError as error:
        raise Refusal(f"{path} cannot be written: {error.strerror}; name another place") from error
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
