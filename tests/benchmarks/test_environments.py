"""A contender that cannot be installed is left out, and the table says why."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks import environments
from tests.benchmarks.bench import Bench
from tests.benchmarks.environments import Environments, Unavailable, plain_variables, versions
from tests.benchmarks.measured import together


class Broken(Environments):
    """Where only one thing can be installed."""

    def _make(self, name: str) -> Path:
        if name != "good":
            raise subprocess.CalledProcessError(1, "pip", stderr="Collecting\nERROR: no such version\n")
        return Path(sys.executable)


def test_what_cannot_be_installed_is_left_out() -> None:
    """With the last line that pip said, and each time it is asked for."""
    environments = Broken(lambda _: None)
    for _ in range(2):
        with pytest.raises(Unavailable, match="bad could not be installed: ERROR: no such version"):
            environments.python("bad")
    there, notes = Bench(True, environments, lambda _: None).available({"nothing": "good", "peer": "bad"})
    assert there == {"nothing": (Path(sys.executable), "nothing")}
    assert notes == ["peer was not run: bad could not be installed: ERROR: no such version"]


def test_an_overlay_leaves_what_is_underneath_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that the base has can be imported there; nothing is installed in the base."""
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements" / "bench-peer.txt").write_text("")
    monkeypatch.setattr(environments, "ROOT", tmp_path)
    monkeypatch.setattr(environments, "HOME", tmp_path / "home")
    before = versions(sys.executable)
    python = Environments(lambda _: None).overlay("peer", sys.executable)
    assert (tmp_path / "home") in python.parents
    assert versions(python).items() >= {"pytest": before["pytest"]}.items()
    assert versions(sys.executable) == before
    said: list[str] = []
    assert Environments(said.append).overlay("peer", sys.executable) == python
    assert said == []


def test_what_does_not_start_is_left_out() -> None:
    """Those that do are ended with the context."""
    notes: list[str] = []
    python = Path(sys.executable)
    with together({"one": (python, "nothing"), "other": (python, "unheard_of")}, notes) as ones:
        assert list(ones) == ["one"]
        assert ones["one"].process.poll() is None
    assert ones["one"].process.poll() is not None
    assert "other was not run: unheard_of: ModuleNotFoundError" in notes[0]


def test_a_measured_process_has_no_settings_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither for telemetry nor for Python, and no proxy."""
    for name in ("OTEL_TRACES_EXPORTER", "AILOOP_OTEL_ENABLED", "DD_ENV", "PYTHONPATH", "https_proxy"):
        monkeypatch.setenv(name, "x")
    assert not {name for name, value in plain_variables().items() if value == "x"}
