"""The doctor's probe on its way through the real collector into the real Jaeger."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ailoop_otel import cli
from collector.stack import Stack, free_ports, url
from tests.ailoop.process import STATELESS
from tests.doctor.conftest import complete


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The command for a server that lacks nothing, in an environment that says nothing of proxies."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return ["doctor", "--json", "--checkout", str(complete(STATELESS, tmp_path / "copy"))]


def examined(command: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, list[dict[str, Any]]]:
    """The exit code, and what was found wrong."""
    code = cli.main(command)
    findings = json.loads(capsys.readouterr().out)["findings"]
    return code, [finding for finding in findings if finding["level"] == "trouble"]


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_the_probe_is_found_in_jaeger(
    protocol: str,
    stack: Stack,
    command: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By both protocols, through the collector's batches."""
    ports = stack.ports
    endpoint = ports.otlp if protocol != "grpc" else url(ports.otlp_grpc)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
    assert examined([*command, "--jaeger", ports.jaeger, "--timeout", "20"], capsys) == (0, [])


def test_a_jaeger_that_is_down_behind_a_collector_that_is_up_is_named(
    jaeger_program: Path,
    tmp_path: Path,
    command: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The collector takes the probe, so it is the last hop that is broken; and the one after it is back."""
    with Stack(tmp_path / "stack", free_ports(), with_prometheus=False) as stack:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", stack.ports.otlp)
        command = [*command, "--jaeger", stack.ports.jaeger, "--timeout", "10"]
        stack.jaeger.stop()
        code, troubles = examined(command, capsys)
        assert code == 1
        assert len(troubles) == 1
        assert "Jaeger" in str(troubles[0])
        stack.jaeger.start()
        stack.jaeger.wait()
        assert examined(command, capsys) == (0, [])
