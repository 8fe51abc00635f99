"""The environment: what switches the instrumentation on, its settings, and the checkout's `.env`.

The server adds the variables of the `.env` to its environment while it starts.
"""

from __future__ import annotations

import os
import site
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ailoop_otel.doctor.findings import NOTE, OK, PROBLEM, Finding
from ailoop_otel.export.choice import milliseconds
from ailoop_otel.names import SETTING_ENABLED
from ailoop_otel.settings import Settings, enabled

_START_UP_FILE: Final = "ailoop_otel.pth"
_VARIABLE: Final = SETTING_ENABLED.name


def check(dotenv: Mapping[str, str]) -> Iterator[Finding]:
    """Check the start-up file, its variable and the settings; `dotenv` holds the variables of the `.env`."""
    yield _start_up_file()
    yield _variable(dotenv)
    extra = sorted(name for name in dotenv if name not in os.environ and name != _VARIABLE)
    if extra:
        yield Finding(OK, ".env", f"adds {', '.join(extra)}; the server reads it in time for these.")
    settings = Settings.from_environment({**dotenv, **os.environ})
    problems = [*settings.problems, *milliseconds()]
    for problem in problems:
        name = problem.partition("=")[0]
        yield Finding(PROBLEM, name, problem, f"Correct {name} or unset it.")
    if not problems:
        yield Finding(OK, "Settings", "each can be used.")


@contextmanager
def added(variables: dict[str, str]) -> Iterator[None]:
    """Add variables to the environment while the context lasts; those already set keep their value."""
    missing = {name: value for name, value in variables.items() if name not in os.environ}
    os.environ.update(missing)
    try:
        yield
    finally:
        for name in missing:
            os.environ.pop(name, None)


def _start_up_file() -> Finding:
    folders = [*site.getsitepackages(), *([site.getusersitepackages()] if site.ENABLE_USER_SITE else [])]
    if any(Path(folder, _START_UP_FILE).is_file() for folder in folders):
        return Finding(OK, "Start-up file", f"{_START_UP_FILE} is where this Python looks for it.")
    sentence = f"there is no {_START_UP_FILE} in this Python's site-packages, so {_VARIABLE} alone switches nothing on."
    mend = f"{sys.executable} -m pip install --force-reinstall ailoop-otel, or start with: ailoop-otel run -- COMMAND."
    return Finding(PROBLEM, "Start-up file", sentence, mend)


def _variable(dotenv: Mapping[str, str]) -> Finding:
    wanted, problem = enabled()
    if problem:
        return Finding(PROBLEM, _VARIABLE, problem, f"Set {_VARIABLE}=true.")
    if wanted:
        return Finding(OK, _VARIABLE, "true in this environment.")
    if enabled(dotenv)[0]:
        sentence = "true in the .env only, which the server reads when it is too late for this one."
        return Finding(PROBLEM, _VARIABLE, sentence, f"Set {_VARIABLE}=true in the environment that starts the server.")
    sentence = "not true in this environment: a server that is started from here is observed only by another way."
    return Finding(NOTE, _VARIABLE, sentence, f"Set {_VARIABLE}=true, or start with: ailoop-otel run -- COMMAND.")
