"""The process's metrics: when their callbacks return something, and that it is right."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from ailoop_otel import names
from ailoop_otel.guard import Guard
from ailoop_otel.process import metrics
from ailoop_otel.process.metrics import (
    ProcessMetrics,
    observe_cpu_time,
    observe_descriptors,
    observe_memory_peak,
    observe_memory_usage,
)

_OPTIONS = CallbackOptions()
_METRIC = names.METRIC_MEMORY_USAGE


def test_every_metric_of_the_process_reaches_a_reader() -> None:
    """Each has its name, its unit and only labels from the table, and a value that can be."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], shutdown_on_exit=False)
    meter = provider.get_meter("test")
    table = {}
    for metric, callback in ProcessMetrics(Guard(strict=True)):
        create = getattr(meter, "create_" + metric.kind.replace("updowncounter", "up_down_counter"))
        create(metric.name, callbacks=[callback], unit=metric.unit, description=metric.description)
        table[metric.name] = metric
    data = reader.get_metrics_data()
    assert data is not None
    seen = {metric.name: metric for metric in data.resource_metrics[0].scope_metrics[0].metrics}
    assert set(seen) == set(table)
    for name, metric in seen.items():
        assert metric.unit == table[name].unit
        for point in metric.data.data_points:
            assert set(point.attributes or ()) == set(table[name].labels)
            assert point.value >= 0
    provider.shutdown()


def test_stopped_callbacks_return_nothing() -> None:
    """After `stop()` a collection finds no value of ours."""
    callbacks = ProcessMetrics(Guard(strict=True))
    assert all(list(callback(_OPTIONS)) for _, callback in callbacks)
    callbacks.stop()
    assert not any(list(callback(_OPTIONS)) for _, callback in callbacks)


@pytest.mark.fault(
    "threads",
    theirs="A sample of the process's metrics raises",
    promise="A gap, counted; not the old value",
)
def test_a_failing_sample_is_a_gap() -> None:
    """A sample that raises leaves no value, not the old one, and is counted by the barrier."""
    answers: list[Sequence[Observation]] = [[Observation(1)]]
    now = [0.0]
    guard = Guard()
    callbacks = ProcessMetrics(guard, [(_METRIC, lambda: answers.pop())], lambda: now[0])
    ((_, callback),) = callbacks
    assert [point.value for point in callback(_OPTIONS)] == [1]
    now[0] = 2.0
    assert list(callback(_OPTIONS)) == []
    assert guard.errors == 1


def test_a_sample_is_taken_once_a_second_at_most() -> None:
    """Ten collections in a second look once."""
    looks: list[float] = []
    now = [100.0]

    def sample() -> list[Observation]:
        looks.append(now[0])
        return [Observation(len(looks))]

    ((_, callback),) = ProcessMetrics(Guard(strict=True), [(_METRIC, sample)], lambda: now[0])
    for tenth in range(11):
        now[0] = 100.0 + tenth / 10
        assert [point.value for point in callback(_OPTIONS)] == [1 if tenth < 10 else 2]
    assert looks == [100.0, 101.0]


def test_cpu_time_is_seconds_by_mode() -> None:
    """A busy tenth of a second is a tenth of a second of user time."""
    before = {str(point.attributes): point.value for point in observe_cpu_time()}
    began = time.process_time()
    while (spent := time.process_time() - began) < 0.1:
        sum(range(1000))
    after = {str(point.attributes): point.value for point in observe_cpu_time()}
    assert set(after) == {"{'cpu.mode': 'user'}", "{'cpu.mode': 'system'}"}
    assert sum(after.values()) - sum(before.values()) == pytest.approx(spent, abs=0.05)


def test_descriptors_count_what_is_open(tmp_path: Path) -> None:
    """Three files more are three descriptors more, and the one used for looking is not counted."""
    (before,) = observe_descriptors()
    files = [open(tmp_path / name, "w") for name in "abc"]  # noqa: SIM115 - they stay open on purpose
    (after,) = observe_descriptors()
    for file in files:
        file.close()
    assert after.value == before.value + 3
    if os.path.isdir("/proc/self/fd"):
        assert len(os.listdir("/proc/self/fd")) == before.value + 1


def test_descriptors_of_a_fixture(tmp_path: Path) -> None:
    """Another process's folder is counted as it is; one that is gone gives nothing."""
    (tmp_path / "7" / "fd").mkdir(parents=True)
    for name in "012":
        (tmp_path / "7" / "fd" / name).touch()
    assert [point.value for point in observe_descriptors(str(tmp_path), 7)] == [3]
    assert observe_descriptors(str(tmp_path), 8) == []


def test_memory_without_proc_comes_from_psutil(tmp_path: Path) -> None:
    """Both are the same number."""
    (there,), (elsewhere,) = observe_memory_usage(), observe_memory_usage(str(tmp_path))
    assert abs(there.value - elsewhere.value) < 4 * 1024**2


def test_descriptors_without_proc_come_from_psutil(tmp_path: Path) -> None:
    """Where there is no /proc the number is psutil's."""
    (elsewhere,) = observe_descriptors(str(tmp_path))
    assert elsewhere.value > 0


@pytest.mark.parametrize("metric", [names.METRIC_GC_COLLECTIONS, names.METRIC_GC_COLLECTED])
def test_garbage_is_counted_by_generation(metric: names.Metric) -> None:
    """A collection of the oldest generation raises that generation's number, whose label is an int."""

    def oldest() -> float:
        ((callback),) = [callback for known, callback in ProcessMetrics(Guard(strict=True)) if known is metric]
        points = list(callback(_OPTIONS))
        assert [point.attributes for point in points] == [{"cpython.gc.generation": n} for n in range(len(points))]
        return points[-1].value

    before = oldest()
    cycle: list[object] = []
    cycle.append(cycle)
    del cycle
    gc.collect()
    assert oldest() > before


# --- Memory ----------------------------------------------------------------------------------------------------
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
    """One number, two units: macOS has bytes, everything else KiB."""
    import resource

    class Usage:
        ru_maxrss = 1000

    monkeypatch.setattr(resource, "getrusage", lambda _who: Usage)
    monkeypatch.setattr(metrics.sys, "platform", platform)
    assert [point.value for point in observe_memory_peak(str(tmp_path))] == [bytes_]


def test_usage_grows_with_what_is_held() -> None:
    """Sixty-four mebibytes more are seen as such, in bytes."""
    (before,) = observe_memory_usage()
    held = bytearray(b"x" * (64 * 1024 * 1024))
    (after,) = observe_memory_usage()
    assert 60 * 1024**2 < after.value - before.value < 80 * 1024**2
    assert len(held) < after.value <= observe_memory_peak()[0].value
    assert abs(after.value - psutil.Process().memory_info().rss) < 32 * 1024**2


def test_nothing_that_the_server_s_tests_replace_is_called(tmp_path: Path) -> None:
    """Not by the process's metrics, nor by what is exported on threads of this package's."""
    code = """
import builtins, json, os, sys, threading, time
from unittest.mock import patch

from opentelemetry.metrics import CallbackOptions

from ailoop_otel.export.pipeline import Pipeline
from ailoop_otel.guard import Guard
from ailoop_otel.process.metrics import ProcessMetrics
from ailoop_otel.recording.deferred import DeferredWork
from ailoop_otel.recording.telemetry import Clock
from ailoop_otel.settings import Settings
from ailoop_otel.export.notices import Notices
from ailoop_otel.export.ledger import Ledger
from ailoop_otel.export.rotation import Bounds, RotatingFile
from ailoop_otel.server.content.finishing import SpanFinisher

guard = Guard(strict=True)
names = {
    builtins: ["open"], json: ["dumps", "loads"],
    time: ["time", "time_ns", "monotonic", "perf_counter", "perf_counter_ns", "sleep", "strftime", "gmtime"],
    os: ["open", "read", "write", "close", "listdir", "scandir", "makedirs", "fstat", "unlink", "times"],
    os.path: ["abspath", "samestat"],
}
# All that is imported when it is first used.
metrics = ProcessMetrics(guard, clock=iter(range(0, 100, 2)).__next__)
[list(callback(CallbackOptions())) for _, callback in metrics]
work, finisher = DeferredWork(guard, pause=60), SpanFinisher(guard)
patches = [patch.object(m, n, side_effect=AssertionError(n)) for m, some in names.items() for n in some]
for each in patches:
    each.start()
try:
    found = [list(callback(CallbackOptions())) for _, callback in metrics]
    work.defer(str)
    assert work.settle()
    finisher.drain(0.1)
    file = RotatingFile("traces", Bounds(sys.argv[1], 1e6, 1e7, 1e6))
    assert file.write(b"{}\\n")
    file.close()
    Clock.now(), Clock.wall()
    Notices(Ledger(), "").trouble("x", "")
finally:
    for each in patches:
        each.stop()
print(all(found))
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == "True\n", done.stderr
    assert len(list(tmp_path.iterdir())) == 1
