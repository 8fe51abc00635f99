"""The runner behind `make jaeger`."""

from __future__ import annotations

import os
import signal
import socket
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from collector.stack import COLLECTOR, MissingProgram, Ports, Stack, StartError, free_ports, jaeger
from collector.stack.__main__ import has_ui, print_addresses


@pytest.fixture
def ports() -> Ports:
    """Ports of their own."""
    return free_ports()


def made(folder: Path, ports: Ports) -> Stack:
    return Stack(folder, ports, with_prometheus=False)


def test_it_is_left_running_and_found_again(jaeger_program: Path, tmp_path: Path, ports: Ports) -> None:
    """By another process, which has only the folder; started twice it runs once."""
    with made(tmp_path, ports) as running:
        again = made(tmp_path, ports)
        assert [program.pid for program in again.programs] == [program.pid for program in running.programs]
        again.start()
        assert [program.pid for program in again.programs] == [program.pid for program in running.programs]
        pids = [program.pid for program in running.programs]
    assert [program.pid for program in again.programs] == [None, None]
    assert not any(psutil.pid_exists(pid) for pid in pids if pid)


def test_one_of_the_two_that_died_is_started_again(jaeger_program: Path, tmp_path: Path, ports: Ports) -> None:
    """The other is left alone."""
    with made(tmp_path, ports) as running:
        before = running.jaeger.pid
        running.collector.stop(signal.SIGKILL)
        running.start()
        assert running.jaeger.pid == before
        assert running.collector.healthy()


def test_a_place_that_is_taken_is_told(jaeger_program: Path, tmp_path: Path, ports: Ports) -> None:
    """And whoever has it is left alone."""
    with made(tmp_path / "one", ports) as running:
        pid = running.jaeger.pid
        told = f"jaeger is not started: its port {ports.jaeger_otlp} is .* .process {pid}.'s.*set JAEGER_OTLP_PORT to"
        with pytest.raises(StartError, match=told):
            made(tmp_path / "other", ports).start()
        assert all(program.healthy() for program in running.programs)


def test_beside_a_daemon_on_its_port_the_others_start(
    jaeger_program: Path, prometheus_program: Path, tmp_path: Path, ports: Ports
) -> None:
    """Prometheus is left out; whose the port is, and what moves it, is told."""
    told: list[str] = []
    with socket.create_server(("", ports.prometheus)):
        stack = Stack(tmp_path, ports, notify=told.append)
        with stack:
            assert stack.prometheus is None
            assert stack.jaeger.healthy()
            assert stack.collector.healthy()
    (line,) = told
    assert f"prometheus is not started: its port {ports.prometheus} is " in line
    assert f"(process {os.getpid()})" in line
    assert "set PROMETHEUS_PORT to another port" in line


def test_a_variable_moves_a_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has its own; what is no number is an error that names it."""
    monkeypatch.setenv("PROMETHEUS_PORT", "9191")
    assert Ports.from_environment() == replace(Ports(), prometheus=9191)
    monkeypatch.setenv("OTLP_HTTP_PORT", "many")
    with pytest.raises(ValueError, match="OTLP_HTTP_PORT='many' is no port"):
        Ports.from_environment()


def test_one_that_does_not_start_says_why_and_the_other_is_stopped(
    jaeger_program: Path, tmp_path: Path, ports: Ports
) -> None:
    """With the end of its log."""
    broken = tmp_path / "broken.yaml"
    broken.write_text("receivers: {nonsense: }\n")
    stack = Stack(tmp_path, ports, with_prometheus=False, configuration=broken)
    with pytest.raises(StartError, match="(?s)collector did not start.*nonsense"):
        stack.start()
    assert [program.pid for program in stack.programs] == [None, None]


def test_a_process_that_got_an_old_number_is_not_taken_for_it(
    jaeger_program: Path, tmp_path: Path, ports: Ports
) -> None:
    """A pid file that a reboot left."""
    (tmp_path / "jaeger.pid").write_text(f"{psutil.Process().pid} 1.0")
    stack = made(tmp_path, ports)
    assert stack.jaeger.pid is None
    stack.stop()


def test_without_go_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One line, no trace."""
    monkeypatch.delenv("JAEGER_BINARY", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingProgram, match="built with Go 1.25 or newer"):
        jaeger()


def test_that_there_is_no_ui_is_told_first(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    """With what shows the traces instead, here and in the README."""
    assert not has_ui(stack.ports.jaeger)
    print_addresses(stack.ports, with_prometheus=True)
    first, *rest = capsys.readouterr().out.strip().splitlines()
    assert first.startswith("This Jaeger is built by Go and has no UI.")
    assert rest[0].split() == ["ailoop-otel", "traces", "--jaeger", stack.ports.jaeger]
    _, told, command, *_ = (COLLECTOR / "README.md").read_text(encoding="utf-8").split("\n\n")
    assert "has no UI" in told
    assert command.strip().startswith(f"ailoop-otel traces --jaeger {Ports().jaeger}")
