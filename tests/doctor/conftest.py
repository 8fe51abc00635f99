"""Every examination begins with an empty environment in an empty folder."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ailoop_otel.doctor import endpoint, server
from ailoop_otel.doctor.findings import PROBLEM, Finding
from ailoop_otel.server.targets import TARGETS
from tests.ailoop.process import free_port, standin
from tests.doctor.backend import Backend, running, taciturn

Install = Callable[..., None]


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith(("OTEL_", "AILOOP_OTEL_", "FASTAPI_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    # A Jaeger that happens to run on this machine is not used.
    monkeypatch.setattr(endpoint, "DEFAULT_JAEGER", f"http://127.0.0.1:{free_port()}")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def backend() -> Iterator[Backend]:
    """A collector and a Jaeger in one."""
    with running() as backend:
        yield backend


@pytest.fixture
def mute() -> Iterator[int]:
    """A port that takes connections and drops them."""
    with taciturn() as port:
        yield port


@pytest.fixture
def gibberish() -> Iterator[str]:
    """The address of a server that speaks neither HTTP nor gRPC."""
    with taciturn(b"\x00\x00\x12\x04\x00\x00\n\n") as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Makes Python believe that a package is installed, in this version, before the one that is."""
    place = tmp_path / "site-packages"
    place.mkdir()
    monkeypatch.syspath_prepend(place)

    def installed(name: str, version: str, *requires: str, points: str = "") -> None:
        folder = place / f"{name.replace('-', '_')}-{version}.dist-info"
        folder.mkdir()
        lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
        lines += [f"Requires-Dist: {requirement}" for requirement in requires]
        (folder / "METADATA").write_text("\n".join(lines) + "\n")
        (folder / "entry_points.txt").write_text(points)

    return installed


def about(findings: Iterator[Finding] | tuple[Finding, ...], subject: str) -> Finding:
    """The one finding about a subject; every problem names its remedy."""
    kept = list(findings)
    assert all(finding.mend for finding in kept if finding.level == PROBLEM)
    assert all(finding.sentence.endswith((".", "/", *"0123456789abcdef")) for finding in kept)
    (found,) = [finding for finding in kept if finding.subject == subject]
    return found


def complete(kind: str, copy: Path) -> Path:
    """A copy of a generation's stand-in that has all functions of the server's own that are wrapped."""
    shutil.copytree(standin(kind).root, copy)
    for row in TARGETS:
        path = copy / (row.module.replace(".", "/") + ".py")
        if row.generation == kind and server.is_own(row) and not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            owner, _, name = row.path.rpartition(".")
            path.write_text(f"class {owner}:\n    def {name}(self): ...\n")
    return copy


def examined(query: str = "", timeout: float = 1.5) -> tuple[Finding, ...]:
    """The findings on where telemetry goes."""
    return tuple(endpoint.check(Path.cwd(), query, timeout))


def to(monkeypatch: pytest.MonkeyPatch, url: str, protocol: str = "") -> None:
    """Have telemetry go to a collector."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
    if protocol:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
