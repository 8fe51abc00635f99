"""Package versions that conflict: OpenTelemetry's packages with each other, and AILoop with its dependencies."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import metadata
from importlib.util import find_spec
from typing import Final

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from ailoop_otel.doctor.findings import NOTE, OK, PROBLEM, Finding
from ailoop_otel.server.targets import STATELESS

_OURS: Final = ("opentelemetry-", "ailoop-otel")


# The versions that the current generation of AILoop works with: package, versions, how bad others are, and why.
_BOUNDS: Final = (
    ("mcp", ">=1.9,<2", PROBLEM, "this AILoop cannot import it and does not start"),
    ("fastmcp", "<3", NOTE, "this AILoop was written for earlier ones"),
    ("fastapi", "<0.116", NOTE, "this AILoop was written for earlier ones; it starts all the same"),
    ("starlette", "<0.47", NOTE, "this AILoop was written for earlier ones; it starts all the same"),
)


def check(generation: str) -> Iterator[Finding]:
    """Check for conflicts, and report the versions of the packages that matter."""
    installed = _installed()
    conflicts = list(_conflicts(installed))
    yield from conflicts
    if not conflicts:
        sdk = installed.get("opentelemetry-sdk")
        yield Finding(OK, "OpenTelemetry", f"SDK {sdk.version if sdk else '?'}; all packages go together.")
    for package, bounds, level, consequence in _BOUNDS if generation == STATELESS else ():
        if package in installed:
            yield _bound(package, installed[package].version, bounds, level, consequence)
    yield from _web(installed)


def _installed() -> dict[str, metadata.Distribution]:
    found: dict[str, metadata.Distribution] = {}
    for each in metadata.distributions():
        # The first on the path is the one that is imported. A partly removed one has no name.
        if name := each.metadata["Name"]:
            found.setdefault(canonicalize_name(name), each)
    return found


def _conflicts(installed: dict[str, metadata.Distribution]) -> Iterator[Finding]:
    for name, each in sorted(installed.items()):
        if not name.startswith(_OURS):
            continue
        for text in each.requires or ():
            requirement = _requirement(text)
            other = installed.get(canonicalize_name(requirement.name)) if requirement else None
            if requirement is None or (other is not None and _fits(other.version, requirement.specifier)):
                continue
            has = f"{other.version} is here" if other else "it is not here"
            sentence = f"{each.version} needs {requirement.name} {requirement.specifier}, and {has}."
            mend = f"pip install '{requirement.name}{requirement.specifier}', or --upgrade {name}."
            yield Finding(PROBLEM, name, sentence, mend)


def _requirement(text: str) -> Requirement | None:
    """Parse a requirement; None if it does not apply to this Python, belongs to an extra or is invalid."""
    try:
        requirement = Requirement(text)
    except InvalidRequirement:
        return None
    counts = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
    return requirement if counts else None


def _fits(version: str, specifier: SpecifierSet) -> bool:
    try:
        return specifier.contains(Version(version), prereleases=True)
    except InvalidVersion:
        return True  # an invalid version cannot be compared


def _bound(package: str, version: str, bounds: str, level: str, consequence: str) -> Finding:
    if _fits(version, SpecifierSet(bounds)):
        return Finding(OK, package, f"{version} suits this AILoop.")
    return Finding(level, package, f"{version}: {consequence}.", f"pip install '{package}{bounds}'.")


def _web(installed: dict[str, metadata.Distribution]) -> Iterator[Finding]:
    for package in ("fastapi", "uvicorn"):
        if package not in installed:
            sentence = "it is not in this environment, which therefore is not the server's."
            yield Finding(PROBLEM, package, sentence, f"Run this with the server's Python, or pip install {package}.")
    if "uvicorn" not in installed:
        return
    if find_spec("websockets") or find_spec("wsproto"):
        yield Finding(OK, "uvicorn", f"{installed['uvicorn'].version}, with WebSockets.")
    else:
        sentence = "it has no WebSocket library, so it refuses every client of AILoop."
        yield Finding(PROBLEM, "uvicorn", sentence, "pip install websockets.")
