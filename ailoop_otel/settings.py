"""The settings of this package, read once from the environment into one frozen object."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from os import environ
from os.path import expanduser

from ailoop_otel import names
from ailoop_otel.names import Setting

_PREFIX = "AILOOP_OTEL_"
_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})


class UsageError(Exception):
    """A command was called with an argument that it cannot use; the text is one line that names the remedy."""


@dataclass(frozen=True)
class Settings:
    """The settings of one process; times in seconds, sizes in megabytes, ages in hours.

    `problems` holds one sentence for each value that cannot be used; the default is used instead.
    """

    first_chunk: float = 30.0
    stall: float = 30.0
    total: float = 300.0
    trust_client: bool = False
    http: bool = True
    directory: str = "ailoop-telemetry"
    max_file: float = 64.0
    max_total: float = 1024.0
    max_age: float = 168.0
    spool: bool = True
    max_sessions: int = 100_000
    max_exchanges: int = 100_000
    content: bool = False
    content_limit: int = 16_384
    redact: str = ""
    prices: str = ""
    fast_paths: frozenset[str] = frozenset(names.FAST_PATHS)
    problems: tuple[str, ...] = ()

    @classmethod
    def from_environment(cls, variables: Mapping[str, str] = environ) -> Settings:
        """Read the `AILOOP_OTEL_*` variables; never raises, bad values become `problems`."""
        problems: list[str] = []

        def number(setting: Setting) -> float:
            return _number(setting, variables.get(setting.name), problems)

        def flag(setting: Setting) -> bool:
            return _flag(setting, variables.get(setting.name), problems)

        return cls(
            first_chunk=number(names.SETTING_FIRST_CHUNK),
            stall=number(names.SETTING_STALL),
            total=number(names.SETTING_TOTAL),
            trust_client=flag(names.SETTING_TRUST_CLIENT),
            http=flag(names.SETTING_HTTP),
            directory=expanduser(variables.get(names.SETTING_DIRECTORY.name) or str(names.SETTING_DIRECTORY.default)),
            max_file=number(names.SETTING_MAX_FILE),
            max_total=number(names.SETTING_MAX_TOTAL),
            max_age=number(names.SETTING_MAX_AGE),
            spool=flag(names.SETTING_SPOOL),
            max_sessions=int(number(names.SETTING_MAX_SESSIONS)),
            max_exchanges=int(number(names.SETTING_MAX_EXCHANGES)),
            content=_content(variables.get(names.SETTING_CONTENT.name), problems),
            content_limit=int(number(names.SETTING_CONTENT_LIMIT)),
            redact=variables.get(names.SETTING_REDACT.name, "").strip(),
            prices=variables.get(names.SETTING_PRICES.name, "").strip(),
            fast_paths=_fast_paths(variables.get(names.SETTING_FAST_PATHS.name), problems),
            problems=(*problems, *_misspelt(variables)),
        )


def enabled(variables: Mapping[str, str] = environ) -> tuple[bool, str]:
    """Whether `AILOOP_OTEL_ENABLED` is true, and one sentence if its value cannot be used, else an empty one."""
    problems: list[str] = []
    return _flag(names.SETTING_ENABLED, variables.get(names.SETTING_ENABLED.name), problems), "".join(problems)


def is_true(text: str) -> bool:
    """Whether the text of a flag means true."""
    return text.strip().lower() in _TRUE


def environment(name: str) -> str:
    """One variable that another project defines (`OTEL_*`), stripped; empty when it is not set."""
    return environ.get(name, "").strip()


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


def _number(setting: Setting, text: str | None, problems: list[str]) -> float:
    default = float(str(setting.default))
    if text is None or not text.strip():
        return default
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if setting.low <= value <= setting.high:
        return value
    bounds = f"from {setting.low:g} to {setting.high:g}"
    unit = f" ({setting.unit})" if setting.unit else ""
    problems.append(f"{setting.name}={text!r} is not a number {bounds}{unit}; {default:g} is used instead.")
    return default


def _content(text: str | None, problems: list[str]) -> bool:
    # The newer values of this variable also name where content is recorded; this package records it on spans only.
    known = {"span_only": "true", "span_and_event": "true", "no_content": "false"}
    return _flag(names.SETTING_CONTENT, known.get((text or "").strip().lower(), text), problems)


def _fast_paths(text: str | None, problems: list[str]) -> frozenset[str]:
    chosen = {word.strip().lower() for word in (text or "").split(",")} - {""}
    if not chosen or chosen == {"all"}:
        return frozenset(names.FAST_PATHS)
    if chosen == {"none"}:
        return frozenset()
    if chosen <= set(names.FAST_PATHS):
        return frozenset(chosen)
    setting = names.SETTING_FAST_PATHS
    allowed = ", ".join(names.FAST_PATHS)
    problems.append(f"{setting.name}={text!r} is not all, none, or some of {allowed}; all is used instead.")
    return frozenset(names.FAST_PATHS)


def _flag(setting: Setting, text: str | None, problems: list[str]) -> bool:
    default = bool(setting.default)
    if text is None or not text.strip():
        return default
    if text.strip().lower() in _TRUE | _FALSE:
        return is_true(text)
    problems.append(f"{setting.name}={text!r} is not true or false; {str(default).lower()} is used instead.")
    return default
