"""`ailoop-otel doctor`, as its users start it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ailoop_otel import cli
from tests.ailoop.process import STATELESS, free_port
from tests.doctor.backend import Backend
from tests.doctor.conftest import complete


@pytest.fixture
def here(tmp_path: Path) -> list[str]:
    """The command for a server that lacks nothing."""
    return ["doctor", "--checkout", str(complete(STATELESS, tmp_path / "copy"))]


def _document(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    document = json.loads(capsys.readouterr().out)
    assert isinstance(document, dict)
    return document


def test_a_healthy_environment_is_exit_code_0(
    here: list[str], backend: Backend, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Down to Jaeger; nothing of the server is imported, nothing is written."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", backend.url)
    copy = Path(here[-1])
    before = sorted(copy.rglob("*"))
    assert cli.main([*here, "--jaeger", backend.url, "--json"]) == 0
    document = _document(capsys)
    assert (document["kind"], document["generation"], document["troubles"]) == ("doctor", STATELESS, 0)
    assert sorted(copy.rglob("*")) == before


def test_a_problem_is_exit_code_1(
    here: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the terminal and in JSON."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{free_port()}")
    assert cli.main(here) == 1
    output = capsys.readouterr()
    assert output.err == ""
    assert "connection refused" in output.out
    assert output.out.splitlines()[-1].startswith("✗ 1 trouble")
    assert cli.main([*here, "--json"]) == 1
    findings = _document(capsys)["findings"]
    assert isinstance(findings, list)
    assert all(finding["mend"] for finding in findings if finding["level"] == "trouble")


def test_the_dotenv_counts_for_where_telemetry_goes(
    backend: Backend, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The server reads it before its telemetry begins; this process keeps its own environment."""
    (tmp_path / ".env").write_text(f"OTEL_EXPORTER_OTLP_ENDPOINT={backend.url}\n")
    assert cli.main(["doctor", "--json", "--jaeger", backend.url]) == 1
    assert backend.traces
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" not in os.environ
    findings = _document(capsys)["findings"]
    assert isinstance(findings, list)
    assert [each["subject"] for each in findings if each["level"] == "trouble"] == ["AILoop"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--checkout", "gone"], "--checkout gone is no directory"),
        (["--jaeger", "localhost:16686"], "--jaeger is no address"),
        (["--jaeger", "http://[::1"], "--jaeger is no address"),
        (["--jaeger", "http://host:port"], "--jaeger is no address"),
        (["--timeout", "0"], "--timeout 0 leaves no time"),
        (["--timeout", "nan"], "--timeout nan leaves no time"),
    ],
)
def test_what_makes_no_sense_is_exit_code_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """In one line on the error output."""
    assert cli.main(["doctor", *arguments]) == 2
    output = capsys.readouterr()
    assert output.err.startswith(f"ailoop-otel: {message}")
    assert (output.out, output.err.count("\n")) == ("", 1)


def test_propagators_that_nobody_knows_are_one_line(here: list[str]) -> None:
    """OpenTelemetry's API cannot be imported under such a value."""
    command = [sys.executable, "-m", "ailoop_otel.cli", *here]
    done = subprocess.run(
        command, env=os.environ | {"OTEL_PROPAGATORS": "bogus"}, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("ailoop-otel: OTEL_PROPAGATORS='bogus' cannot be used")
    assert len(done.stderr.splitlines()) == 1
