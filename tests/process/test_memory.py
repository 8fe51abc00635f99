"""Resident memory and its peak."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from ailoop_otel.process import memory
from ailoop_otel.process.memory import observe_memory_peak, observe_memory_usage


def _status(proc: Path, pid: int, text: str) -> None:
    (proc / str(pid)).mkdir()
    (proc / str(pid) / "status").write_text(text)


def test_peak_is_read_from_proc_and_given_in_bytes(tmp_path: Path) -> None:
    """`VmHWM: 2048 kB` is two mebibytes."""
    _status(tmp_path, 7, "Name:\tpython\nVmPeak:\t 9999 kB\nVmHWM:\t    2048 kB\nVmRSS:\t 1024 kB\n")
    assert [point.value for point in observe_memory_peak(str(tmp_path), 7)] == [2 * 1024 * 1024]


def test_peak_without_proc_comes_from_getrusage(tmp_path: Path) -> None:
    """Where there is no /proc the number is of the same size as the one in it."""
    (elsewhere,) = observe_memory_peak(str(tmp_path))
    (resident,) = observe_memory_usage()
    assert resident.value / 2 < elsewhere.value < 64 * 1024**3


def test_peak_without_its_line_comes_from_getrusage(tmp_path: Path) -> None:
    """A status file without VmHWM (a sandboxed kernel) is as good as none."""
    _status(tmp_path, 7, "Name:\tpython\n")
    assert observe_memory_peak(str(tmp_path), 7)


@pytest.mark.parametrize(("platform", "bytes_"), [("darwin", 1000), ("freebsd14", 1000 * 1024)])
def test_getrusage_counts_bytes_on_macos_only(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, platform: str, bytes_: int
) -> None:
    """One number, two units: macOS says bytes, everything else KiB."""
    import resource

    class Usage:
        ru_maxrss = 1000

    monkeypatch.setattr(resource, "getrusage", lambda _who: Usage)
    monkeypatch.setattr(memory.sys, "platform", platform)
    assert [point.value for point in observe_memory_peak(str(tmp_path))] == [bytes_]


def test_usage_grows_with_what_is_held() -> None:
    """Sixty-four mebibytes more are seen as such, in bytes."""
    (before,) = observe_memory_usage()
    held = bytearray(b"x" * (64 * 1024 * 1024))
    (after,) = observe_memory_usage()
    assert 60 * 1024**2 < after.value - before.value < 80 * 1024**2
    assert len(held) < after.value <= observe_memory_peak()[0].value
    assert abs(after.value - psutil.Process().memory_info().rss) < 32 * 1024**2
