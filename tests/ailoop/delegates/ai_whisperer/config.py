"""The configuration: built in, but for the key; `.env` in the working directory is read here, late."""

import os
from pathlib import Path
from typing import Any

from .exceptions import ConfigError


def load_config(path: str) -> dict[str, Any]:
    """Return the configuration, or raise ConfigError without a key."""
    _read_environment(Path(".env"))
    key = os.environ.get("OPENROUTER_API_KEY")
    if not key:
        raise ConfigError("OPENROUTER_API_KEY is not set")
    return {"openrouter": {"api_key": key, "model": "google/gemini-2.5-flash-preview"}}


def _read_environment(path: Path) -> None:
    if not path.is_file():
        return
    for line in path.read_text(encoding="utf-8").splitlines():
        name, separator, value = line.strip().partition("=")
        if separator and not name.startswith("#"):
            os.environ.setdefault(name.strip(), value.strip().strip("\"'"))
