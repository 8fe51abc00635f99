"""The settings of this package, read once from the environment into one frozen object."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields
from os import environ
from os.path import expanduser
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ailoop_otel import names
from ailoop_otel.names import Setting

_PREFIX = "AILOOP_OTEL_"
_LONGEST_ADDRESS = 200
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_DOTENV_LINE = re.compile(r"\s*(?:export\s+)?([A-Za-z_]\w*)\s*=\s*(.*)")
_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})
# The newer values of this variable also name where content is recorded; this package records it on spans only.
_CONTENT = {"span_only": True, "span_and_event": True, "no_content": False}


class UsageError(Exception):
    """A command was called with an argument that it cannot use; the text is one line that names the remedy."""


def _of(setting: Setting) -> Any:
    """A field that a variable sets."""
    return field(default=_read(setting, "", []), metadata={"setting": setting})


def _read(setting: Setting, text: str, problems: list[str]) -> Any:
    """The value of a setting, its default where the text is empty or cannot be used."""
    if setting.kind == "number":
        return _number(setting, text, problems)
    if setting.kind == "flag":
        return _flag(setting, text, problems)
    if setting.kind == "choice":
        return _choice(setting, text, problems)
    return expanduser(text or str(setting.default)) if setting.kind == "path" else text.strip()


def _number(setting: Setting, text: str, problems: list[str]) -> Any:
    default: Any = setting.default
    value = math.nan
    with suppress(ValueError):
        value = float(text if text.strip() else default)
    if setting.low <= value <= setting.high:
        return type(default)(value)
    bounds = f"from {setting.low:g} to {setting.high:g}"
    unit = f" ({setting.unit})" if setting.unit else ""
    problems.append(f"{setting.name}={text!r} is not a number {bounds}{unit}; {default:g} is used instead.")
    return default


def _flag(setting: Setting, text: str, problems: list[str]) -> bool:
    default = bool(setting.default)
    if not text.strip():
        return default
    if setting is names.SETTING_CONTENT and text.strip().lower() in _CONTENT:
        return _CONTENT[text.strip().lower()]
    if text.strip().lower() in _TRUE | _FALSE:
        return is_true(text)
    problems.append(f"{setting.name}={text!r} is not true or false; {str(default).lower()} is used instead.")
    return default


def _choice(setting: Setting, text: str, problems: list[str]) -> frozenset[str]:
    every, no, *parts = setting.choices
    chosen = {word.strip().lower() for word in text.split(",")} - {""}
    if chosen == {no} or (chosen and chosen <= set(parts)):
        return frozenset(chosen - {no})
    if chosen and chosen != {every}:
        allowed = f"{every}, {no}, or some of {', '.join(parts)}"
        problems.append(f"{setting.name}={text!r} is not {allowed}; {setting.default} is used instead.")
    return frozenset(parts)


@dataclass(frozen=True)
class Settings:
    """The settings of one process; times in seconds, sizes in megabytes, ages in hours.

    `problems` holds one sentence for each value that cannot be used; the default is used instead.
    """

    first_chunk: float = _of(names.SETTING_FIRST_CHUNK)
    stall: float = _of(names.SETTING_STALL)
    total: float = _of(names.SETTING_TOTAL)
    trust_client: bool = _of(names.SETTING_TRUST_CLIENT)
    http: bool = _of(names.SETTING_HTTP)
    directory: str = _of(names.SETTING_DIRECTORY)
    max_file: float = _of(names.SETTING_MAX_FILE)
    max_total: float = _of(names.SETTING_MAX_TOTAL)
    max_age: float = _of(names.SETTING_MAX_AGE)
    spool: bool = _of(names.SETTING_SPOOL)
    max_sessions: int = _of(names.SETTING_MAX_SESSIONS)
    max_exchanges: int = _of(names.SETTING_MAX_EXCHANGES)
    content: bool = _of(names.SETTING_CONTENT)
    content_limit: int = _of(names.SETTING_CONTENT_LIMIT)
    redact: str = _of(names.SETTING_REDACT)
    prices: str = _of(names.SETTING_PRICES)
    fast_paths: frozenset[str] = _of(names.SETTING_FAST_PATHS)
    problems: tuple[str, ...] = ()

    @classmethod
    def from_environment(cls, variables: Mapping[str, str] = environ) -> Settings:
        """Read the `AILOOP_OTEL_*` variables; never raises, bad values become `problems`."""
        problems: list[str] = []
        settings = {each.name: each.metadata["setting"] for each in fields(cls) if each.metadata}
        values = {name: _read(setting, variables.get(setting.name, ""), problems) for name, setting in settings.items()}
        return cls(**values, problems=(*problems, *_misspelt(variables)))


def enabled(variables: Mapping[str, str] = environ) -> tuple[bool, str]:
    """Whether `AILOOP_OTEL_ENABLED` is true, and one sentence if its value cannot be used, else an empty one."""
    problems: list[str] = []
    return _flag(names.SETTING_ENABLED, variables.get(names.SETTING_ENABLED.name, ""), problems), "".join(problems)


def is_true(text: str) -> bool:
    """Whether the text of a flag means true."""
    return text.strip().lower() in _TRUE


def environment(name: str) -> str:
    """One variable that another project defines (`OTEL_*`), stripped; empty when it is not set."""
    return environ.get(name, "").strip()


def read_dotenv(checkout: Path) -> dict[str, str]:
    """Read the telemetry variables of the checkout's `.env`; empty if there is no such file."""
    try:
        text = (checkout / ".env").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    found = (match.groups() for match in map(_DOTENV_LINE.fullmatch, text.splitlines()) if match)
    return {name: _dotenv_value(raw) for name, raw in found if name.startswith(("OTEL_", _PREFIX))}


def without_secrets(address: str) -> str:
    """An address as it may be shown: without user, password and query, and nothing that a terminal obeys."""
    shown = re.sub(r"^(\w*:?//)?[^/@]*@", r"\1", address.partition("?")[0])[:_LONGEST_ADDRESS]
    return "".join(character for character in shown if character.isprintable())


def is_address(text: str) -> bool:
    """Whether a text is the address of an HTTP server."""
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False


def is_loopback(address: str) -> bool:
    """Whether an address is on this machine: for a proxy it would be the proxy's own."""
    return urlsplit(address if "//" in address else f"//{address}").hostname in _LOOPBACK


def _dotenv_value(raw: str) -> str:
    text = raw.strip()
    if text[:1] in ("'", '"'):
        return text[1:].partition(text[0])[0]
    return re.split(r"\s+#", text)[0]


def _misspelt(variables: Mapping[str, str]) -> list[str]:
    known = [setting.name.removeprefix(_PREFIX) for setting in names.SETTINGS]
    strange = sorted({name.removeprefix(_PREFIX) for name in variables if name.startswith(_PREFIX)} - {*known})
    if not strange:
        return []
    from difflib import get_close_matches

    nearest = {name: get_close_matches(name, known, 1) for name in strange}
    # Without their values, which may be meant for something else.
    return [
        f"{_PREFIX}{name}=… is no setting of this package{f'; the nearest is {_PREFIX}{near[0]}' if near else ''}."
        for name, near in nearest.items()
    ]
