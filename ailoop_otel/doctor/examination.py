"""The whole examination, from the checkout to the backend."""

from __future__ import annotations

import math
import platform
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from ailoop_otel.doctor import dialects, doubles, endpoint, server, switch, variables, versions
from ailoop_otel.doctor.findings import Finding, Report
from ailoop_otel.protocol.registry import DIALECTS
from ailoop_otel.version import __version__


class Refusal(Exception):
    """What was asked for makes no sense; its text is one line that names the mend."""


def examine(checkout: str, query: str, patience: float) -> Report:
    """Look at everything; `query` is Jaeger's address or empty, `patience` is for each hop, in seconds."""
    place = Path(checkout or ".").resolve()
    if not place.is_dir():
        raise Refusal(f"--checkout {checkout} is no directory: name the one that the server is started in")
    if query and not _is_address(query):
        raise Refusal("--jaeger is no address: write http://HOST:16686")
    if not (math.isfinite(patience) and patience > 0):
        raise Refusal(f"--timeout {patience:g} leaves no time: take more than 0 s")
    generation = server.generation(server.folders(place))
    findings = tuple(_all(place, generation, query, patience))
    return Report(__version__, platform.python_version(), str(place), generation, findings)


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _all(place: Path, generation: str, query: str, patience: float) -> Iterator[Finding]:
    yield from server.examine(place)
    dotenv = variables.read(place)
    yield from switch.examine(dotenv)
    yield from versions.examine(generation)
    yield from dialects.examine(DIALECTS)
    with variables.added(dotenv):
        yield from doubles.examine()
        yield from endpoint.examine(place, query, patience)
