"""What switches the instrumentation on, and whether its settings can be used."""

from __future__ import annotations

import os
import site
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from ailoop_otel.doctor.findings import NOTE, OK, SWITCH, TROUBLE, Finding
from ailoop_otel.names import SETTING_ENABLED
from ailoop_otel.settings import Settings, enabled

_FILE: Final = "ailoop_otel.pth"
_VARIABLE: Final = SETTING_ENABLED.name


def examine(dotenv: Mapping[str, str]) -> Iterator[Finding]:
    """The start-up file, its variable, and the settings; `dotenv` holds what the checkout's `.env` adds."""
    yield _start_up_file()
    yield _variable(dotenv)
    added = sorted(name for name in dotenv if name not in os.environ and name != _VARIABLE)
    if added:
        yield Finding(SWITCH, OK, ".env", f"adds {', '.join(added)}; the server reads it in time for these.")
    settings = Settings.from_environment({**dotenv, **os.environ})
    for problem in settings.problems:
        name = problem.partition("=")[0]
        yield Finding(SWITCH, TROUBLE, name, problem, f"Correct {name} or unset it.")
    if not settings.problems:
        yield Finding(SWITCH, OK, "Settings", "each can be used.")


def _start_up_file() -> Finding:
    folders = [Path(folder) for folder in _site_folders()]
    if any((folder / _FILE).is_file() for folder in folders):
        return Finding(SWITCH, OK, "Start-up file", f"{_FILE} is where this Python looks for it.")
    sentence = f"there is no {_FILE} in this Python's site-packages, so {_VARIABLE} alone switches nothing on."
    mend = f"{sys.executable} -m pip install --force-reinstall ailoop-otel, or start with: ailoop-otel run -- COMMAND."
    return Finding(SWITCH, TROUBLE, "Start-up file", sentence, mend)


def _site_folders() -> list[str]:
    return [*site.getsitepackages(), *([site.getusersitepackages()] if site.ENABLE_USER_SITE else [])]


def _variable(dotenv: Mapping[str, str]) -> Finding:
    wanted, problem = enabled()
    if problem:
        return Finding(SWITCH, TROUBLE, _VARIABLE, problem, f"Set {_VARIABLE}=true.")
    if wanted:
        return Finding(SWITCH, OK, _VARIABLE, "true in this environment.")
    if enabled(dotenv)[0]:
        sentence = "true in the .env only, which the server reads when it is too late for this one."
        mend = f"Set {_VARIABLE}=true in the environment that starts the server."
        return Finding(SWITCH, TROUBLE, _VARIABLE, sentence, mend)
    sentence = "not true in this environment: a server that is started from here is observed only by another way."
    mend = f"Set {_VARIABLE}=true, or start with: ailoop-otel run -- COMMAND."
    return Finding(SWITCH, NOTE, _VARIABLE, sentence, mend)
