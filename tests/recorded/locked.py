"""Files of another user, also for root, who may read every file."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def lock(monkeypatch: pytest.MonkeyPatch, is_locked: Callable[[Path], bool]) -> None:
    """Opening one of these files fails."""
    open_it = os.open

    def refuse(name: str | Path, flags: int, *more: Any, **others: Any) -> int:
        if is_locked(Path(name)) and not flags & os.O_CREAT:
            raise PermissionError(13, "Permission denied")
        return open_it(name, flags, *more, **others)

    monkeypatch.setattr(os, "open", refuse)
