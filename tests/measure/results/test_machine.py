"""The machine's fingerprint distinguishes machines and holds nothing else."""

from __future__ import annotations

import json
import platform
from pathlib import Path

import pytest

from ailoop_otel.measure.results import machine


def test_a_machine_is_the_same_twice() -> None:
    """What is compared with a baseline's does not change from run to run."""
    assert machine.fingerprint() == machine.fingerprint()
    assert json.loads(json.dumps(machine.fingerprint())) == machine.fingerprint()


def test_no_name_of_the_machine_is_recorded() -> None:
    """A report may be shown to others."""
    assert platform.node() not in json.dumps(machine.fingerprint())


def test_a_containers_limits_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a core and a gigabyte are half a core and a gigabyte, whatever the machine has."""
    (tmp_path / "cpu").write_text("50000 100000\n")
    (tmp_path / "memory").write_text("1073741824\n")
    monkeypatch.setattr(machine, "_CPU_LIMIT", tmp_path / "cpu")
    monkeypatch.setattr(machine, "_MEMORY_LIMIT", tmp_path / "memory")
    found = machine.fingerprint()
    assert (found["cores_usable"], found["memory"]) == (0.5, 2**30)


def test_no_limit_is_no_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`max`, or no such file, leaves what the machine has."""
    (tmp_path / "cpu").write_text("max 100000\n")
    monkeypatch.setattr(machine, "_CPU_LIMIT", tmp_path / "cpu")
    monkeypatch.setattr(machine, "_MEMORY_LIMIT", tmp_path / "none")
    found = machine.fingerprint()
    assert found["cores_usable"] >= 1
    assert found["memory"] > 2**20


def test_versions_name_what_measures() -> None:
    """Python and this package are always among them."""
    assert {"python", "ailoop-otel", "websockets"} <= machine.versions().keys()
