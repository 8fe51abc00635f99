"""Versions that do not go together."""

from __future__ import annotations

import pytest

from ailoop_otel.doctor import versions
from ailoop_otel.doctor.findings import NOTE, OK, PROBLEM
from ailoop_otel.server.targets import DELEGATES, STATELESS
from tests.doctor.conftest import Install, about


def test_packages_that_go_together_are_one_line() -> None:
    """As they are installed here."""
    finding = about(versions.check(DELEGATES), "OpenTelemetry")
    assert finding.level == OK
    assert finding.sentence.startswith("SDK 1.")


def test_a_drift_names_both_sides(install: Install) -> None:
    """An SDK that was upgraded alone."""
    install(
        "opentelemetry-instrumentation-asgi", "0.60b1", "opentelemetry-semantic-conventions==0.60b1", "x; extra=='y'"
    )
    finding = about(versions.check(STATELESS), "opentelemetry-instrumentation-asgi")
    assert finding.level == PROBLEM
    assert finding.sentence.startswith("0.60b1 needs opentelemetry-semantic-conventions ==0.60b1, and 0.")
    assert "pip install 'opentelemetry-semantic-conventions==0.60b1'" in finding.mend


def test_a_requirement_that_is_not_there_is_a_problem(install: Install) -> None:
    """It was removed."""
    install("opentelemetry-distro", "0.66b2", "opentelemetry-nowhere~=1.0", "not a requirement ==")
    finding = about(versions.check(STATELESS), "opentelemetry-distro")
    assert finding.sentence == "0.66b2 needs opentelemetry-nowhere ~=1.0, and it is not here."


@pytest.mark.parametrize(
    ("package", "version", "kind", "level"),
    [
        ("mcp", "2.3.0", STATELESS, PROBLEM),
        ("mcp", "1.30.0", STATELESS, OK),
        ("fastapi", "0.165.0", STATELESS, NOTE),
        ("fastapi", "0.115.14", STATELESS, OK),
        ("mcp", "of our own", STATELESS, OK),
    ],
)
def test_what_this_ailoop_cannot_use_is_named(
    package: str, version: str, kind: str, level: str, install: Install
) -> None:
    """Each bound with the command that keeps it."""
    install(package, version)
    finding = about(versions.check(kind), package)
    assert finding.level == level
    assert level == OK or f"pip install '{package}" in finding.mend


def test_the_earlier_generation_has_no_such_bounds(install: Install) -> None:
    """It uses no MCP."""
    install("mcp", "2.3.0")
    assert "mcp" not in {finding.subject for finding in versions.check(DELEGATES)}


def test_uvicorn_without_websockets_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would refuse every client."""
    monkeypatch.setattr(versions, "find_spec", lambda name: None)
    assert about(versions.check(STATELESS), "uvicorn").mend == "pip install websockets."


def test_an_environment_without_the_server_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """This runs with another Python than the server's."""
    kept = {name: each for name, each in versions._installed().items() if name not in ("fastapi", "uvicorn")}
    monkeypatch.setattr(versions, "_installed", lambda: kept)
    for package in ("fastapi", "uvicorn"):
        assert "with the server's Python" in about(versions.check(STATELESS), package).mend
