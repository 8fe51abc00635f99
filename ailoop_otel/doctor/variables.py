"""The variables in the checkout's `.env`, which the server adds to its environment while it starts."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_LINE: Final = re.compile(r"\s*(?:export\s+)?([A-Za-z_]\w*)\s*=\s*(.*)")
_OURS: Final = ("OTEL_", "AILOOP_OTEL_")


def read(checkout: Path) -> dict[str, str]:
    """The telemetry variables of a `.env`; empty without one."""
    try:
        text = (checkout / ".env").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    found = (match.groups() for match in map(_LINE.fullmatch, text.splitlines()) if match)
    return {name: _value(raw) for name, raw in found if name.startswith(_OURS)}


@contextmanager
def added(variables: dict[str, str]) -> Iterator[None]:
    """The environment as the server will see it: what is set already stays."""
    missing = {name: value for name, value in variables.items() if name not in os.environ}
    os.environ.update(missing)
    try:
        yield
    finally:
        for name in missing:
            os.environ.pop(name, None)


def _value(raw: str) -> str:
    text = raw.strip()
    if text[:1] in ("'", '"'):
        return text[1:].partition(text[0])[0]
    return re.split(r"\s+#", text)[0]
