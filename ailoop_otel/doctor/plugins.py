"""Other packages that plug in: instrumentors, distros, FastAPI's telemetry, and dialects of other people.

Checks for spans that would be made twice and for message content that would be exported.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import Final

from ailoop_otel.doctor.findings import NOTE, OK, PROBLEM, Finding
from ailoop_otel.doctor.server import locate
from ailoop_otel.protocol.plugins import requests
from ailoop_otel.protocol.registry import Registry
from ailoop_otel.settings import environment, is_true

_OURS: Final = "ailoop"
_DISTRO: Final = "OTEL_PYTHON_DISTRO"
_DISABLED: Final = "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"
# The switch of the SDK, off by default, and that of opentelemetry-instrumentation-logging, on by default.
_SDK_LOGS: Final = "OTEL_PYTHON_LOGGING_AUTO_INSTRUMENTATION_ENABLED"
_LOGS: Final = "OTEL_PYTHON_LOG_AUTO_INSTRUMENTATION"
_FASTAPI: Final = "FASTAPI_OTEL_AUTO_CONFIGURE"
_AUTO: Final = os.path.join("opentelemetry", "instrumentation", "auto_instrumentation")

_WEB: Final = "its spans for AILoop's sockets are left out; HTTP requests get one span."
_CALLS: Final = "its spans for model calls are left out; other requests keep theirs."
_NOT_USED: Final = "AILoop calls its models by another library."
_HANDLED: Final = {
    **dict.fromkeys(("fastapi", "starlette", "asgi"), _WEB),
    **dict.fromkeys(("requests", "urllib3"), _CALLS),
    **dict.fromkeys(("httpx", "aiohttp-client", "openai_v2"), _NOT_USED),
    "threading": "it carries context into threads, as is done here for model calls; no span is made twice.",
    "asyncio": "it makes spans for nothing in AILoop unless it is told names of coroutines.",
}


def check() -> Iterator[Finding]:
    """Check each other instrumentor and distro, and FastAPI's own telemetry."""
    off = {name.strip() for name in environment(_DISABLED).split(",")}
    if _OURS in off:
        sentence = f"{_DISABLED} names it, so opentelemetry-instrument leaves it out."
        yield Finding(PROBLEM, _OURS, sentence, f"Take {_OURS} out of {_DISABLED}.")
    others = sorted({point.name for point in entry_points(group="opentelemetry_instrumentor")} - {_OURS})
    for name in others:
        yield _instrumentor(name, is_off=name in off)
    if is_true(environment(_SDK_LOGS)):
        sentence = "under opentelemetry-instrument it exports the server's log records, which hold its users' messages."
        yield Finding(PROBLEM, _SDK_LOGS, sentence, f"Unset {_SDK_LOGS}.")
    yield from _distros()
    yield from _fastapi()
    if not others:
        yield Finding(OK, "Instrumentors", "there are no others.")


def check_dialects(registry: Registry) -> Iterator[Finding]:
    """Check the dialects that other packages bring: one finding for each, which is used, or why it is not."""
    for plugin in registry.plugins:
        dialect = registry.named(plugin.name)
        if plugin.problem or dialect is None:
            sentence = f"of {plugin.distribution}, not used: {plugin.problem.rstrip('.')}."
            mend = f"Correct it (docs/dialects.md), or pip uninstall {plugin.distribution}."
            yield Finding(PROBLEM, plugin.name, sentence, mend)
        else:
            methods = ", ".join(sorted(requests(dialect)))
            sentence = f"of {plugin.distribution}; messages come by {dialect.message_method}; methods: {methods}."
            yield Finding(OK, plugin.name, sentence)


def _fastapi() -> Iterator[Finding]:
    if locate("fastapi.telemetry", [Path(entry) for entry in sys.path]) is None:
        return
    yield Finding(OK, "FastAPI", "its own telemetry leaves AILoop's sockets to us.")
    if is_true(environment(_FASTAPI)):
        sentence = f"{_FASTAPI} lets FastAPI set the SDK up as well, and whoever comes first decides."
        yield Finding(NOTE, "FastAPI", sentence, f"Unset {_FASTAPI} to have the defaults that suit AILoop.")


def _instrumentor(name: str, *, is_off: bool) -> Finding:
    if is_off:
        return Finding(OK, name, f"switched off by {_DISABLED}.")
    if name == "logging":
        return _logging()
    if name in _HANDLED:
        return Finding(OK, name, _HANDLED[name])
    sentence = "under opentelemetry-instrument it may add spans of its own to AILoop's traces."
    return Finding(NOTE, name, sentence, f"If they are too many, add {name} to {_DISABLED}.")


def _logging() -> Finding:
    wanted = environment(_LOGS)
    if wanted and not is_true(wanted):
        return Finding(OK, "logging", f"{_LOGS} keeps it from exporting log records.")
    level = PROBLEM if wanted or _is_automatic() else NOTE
    sentence = "under opentelemetry-instrument it exports the server's log records, which hold its users' messages."
    return Finding(level, "logging", sentence, f"Set {_LOGS}=false.")


def _distros() -> Iterator[Finding]:
    found = sorted({point.name for point in entry_points(group="opentelemetry_distro")})
    chosen = environment(_DISTRO)
    mend = f"Set {_DISTRO}={_OURS}."
    if chosen and chosen not in found:
        yield Finding(PROBLEM, _DISTRO, f"names {chosen!r}, which is not installed.", mend)
    elif chosen == _OURS or found == [_OURS]:
        yield Finding(OK, "Distro", f"opentelemetry-instrument takes {_OURS}'s.")
    elif found:
        level = PROBLEM if chosen or _is_automatic() else NOTE
        which = f"opentelemetry-instrument takes {chosen!r}" if chosen else "opentelemetry-instrument takes any of them"
        sentence = f"there are {', '.join(found)}: {which}, and the defaults may not be those that suit AILoop."
        yield Finding(level, "Distro", sentence, mend)


def _is_automatic() -> bool:
    """Whether this is the environment of `opentelemetry-instrument`, which the server would inherit."""
    return _AUTO in environment("PYTHONPATH")
