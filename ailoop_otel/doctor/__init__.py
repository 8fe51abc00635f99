"""Checks a server's environment from outside for what would keep its telemetry from being seen."""

from __future__ import annotations

import math
import platform
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from ailoop_otel.doctor import endpoint, environment, plugins, server, versions
from ailoop_otel.doctor.findings import Finding, Report
from ailoop_otel.protocol.registry import DIALECTS
from ailoop_otel.settings import UsageError, is_address, read_dotenv
from ailoop_otel.version import __version__

__all__ = ["examine"]


def examine(checkout: str, query: str, timeout: float) -> Report:
    """Run all checks; raises UsageError for arguments without sense.

    `checkout` is the server's directory (empty: the current one), `query` the address of Jaeger's query API (empty: a
    local one is tried), `timeout` the seconds to wait for each hop.
    """
    place = Path(checkout or ".").resolve()
    if not place.is_dir():
        raise UsageError(f"--checkout {checkout} is no directory: name the one that the server is started in")
    if query and not is_address(query):
        raise UsageError("--jaeger is no address: write http://HOST:16686")
    if not (math.isfinite(timeout) and timeout > 0):
        raise UsageError(f"--timeout {timeout:g} leaves no time: take more than 0 s")
    generation = server.generation(server.folders(place))
    findings = tuple(_all(place, generation, query, timeout))
    return Report(__version__, platform.python_version(), str(place), generation, findings)


def _all(place: Path, generation: str, query: str, timeout: float) -> Iterator[Finding]:
    dotenv = read_dotenv(place)
    yield from _in("AILoop", server.check(place))
    yield from _in("Switching on", environment.check(dotenv))
    yield from _in("Versions", versions.check(generation))
    with environment.added(dotenv):
        yield from _in("Other instrumentation", plugins.check())
        yield from _in("Dialects of other packages", plugins.check_dialects(DIALECTS))
        yield from _in("Where telemetry goes", endpoint.check(place, query, timeout))


def _in(group: str, findings: Iterator[Finding]) -> Iterator[Finding]:
    return (replace(finding, group=group) for finding in findings)
