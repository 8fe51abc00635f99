"""Emptying the pipeline in time, whatever the other side does."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ailoop_otel.recording.spans import deferred_of
from ailoop_otel.settings import Settings
from tests.export.child import in_child
from tests.export.collector import Collector
from tests.export.conftest import Start
from tests.export.recording import record, span, wait_for, written
from tests.reliability.balance import Balance

Lines = Callable[[], list[str]]


def test_shutdown_flushes_and_counts_what_comes_later(start: Start, tmp_path: Path) -> None:
    """What waited is in the files, what comes afterwards is dropped, and a second shutdown is harmless."""
    pipeline = start()
    record(pipeline)
    assert pipeline.shutdown()
    assert set(written(tmp_path / "ailoop-telemetry")) == {"traces", "metrics", "logs"}
    span(pipeline, "late")
    assert pipeline.dropped() == 1
    begun = time.monotonic()
    assert pipeline.shutdown(60)
    assert pipeline.flush(60)
    assert time.monotonic() - begun < 30


def test_no_thread_is_left_after_shutdown(start: Start) -> None:
    """All of ours and all of the SDK's end."""
    before = set(threading.enumerate())
    pipeline = start()
    record(pipeline)
    assert len(set(threading.enumerate()) - before) == 6
    assert pipeline.shutdown()
    for thread in set(threading.enumerate()) - before:
        thread.join(60)
        assert not thread.is_alive()


@pytest.mark.fault(
    "disk",
    theirs="The telemetry directory is a file",
    promise="What is refused is counted to the span; one line names the variable; it goes on once it is mended",
)
def test_a_small_queue_and_a_blocked_directory(
    start: Start, monkeypatch: pytest.MonkeyPatch, lines: Lines, balance: Balance
) -> None:
    """What the files refuse is counted as dropped, to the span; the line about it names the mend."""
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "100")
    Path("blocked").write_text("")
    pipeline = start(Settings(directory="blocked"))
    for _ in range(50):
        span(pipeline)
    assert pipeline.flush()
    assert pipeline.dropped() == 50
    assert len(lines()) == 1
    assert "AILOOP_OTEL_DIRECTORY" in lines()[0]
    Path("blocked").unlink()
    span(pipeline)
    assert pipeline.flush()
    assert pipeline.dropped() == 50
    kept = written(Path("blocked"))["traces"].count('"spanId"')
    balance("spans", made=51, kept=kept, lost=pipeline.dropped())


@pytest.mark.parametrize("mode", ["refuse", "hang", "503"])
@pytest.mark.fault(
    "collector",
    theirs="The process ends while the collector is away, hangs or answers 503",
    promise="Flush and shutdown keep to three seconds; all is on disk, one line says so",
)
def test_a_dead_collector_takes_three_seconds_at_most(
    collector: Collector, start: Start, monkeypatch: pytest.MonkeyPatch, lines: Lines, balance: Balance, mode: str
) -> None:
    """Flush and shutdown together; one line, every span on disk, and other signals' files complete."""
    collector.mode = mode
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "otlp")
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "otlp")
    monkeypatch.setenv("OTEL_LOGS_EXPORTER", "ailoop_json_files")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1" if mode == "refuse" else collector.url)
    pipeline = start()
    for _ in range(10):
        record(pipeline)
    begun = time.monotonic()
    assert pipeline.flush(3.0)
    assert pipeline.shutdown(3.0)
    assert time.monotonic() - begun < 8  # three seconds, and what a busy machine takes beside
    assert pipeline.dropped() == 0
    assert len(lines()) == 1
    assert written(Path("ailoop-telemetry"))["logs"].count("eventName") == 10
    kept = written(Path("ailoop-telemetry"))["undelivered"].count('"spanId"')
    balance("spans", made=10, kept=kept, lost=pipeline.dropped())


@pytest.mark.parametrize("mode", ["refuse", "hang", "503"])
@pytest.mark.fault(
    "collector",
    theirs="The process ends while the collector is away, and AILOOP_OTEL_SPOOL=false",
    promise="All is lost, counted to the span, and said in one line",
)
def test_a_dead_collector_and_no_spool(
    collector: Collector, start: Start, monkeypatch: pytest.MonkeyPatch, lines: Lines, balance: Balance, mode: str
) -> None:
    """The same time; every span is counted as lost, and the metrics that come after them say so."""
    collector.mode = mode
    monkeypatch.setenv(
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://127.0.0.1:1" if mode == "refuse" else collector.url
    )
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "otlp")
    pipeline = start(Settings(spool=False))
    for _ in range(10):
        span(pipeline)
    begun = time.monotonic()
    assert not pipeline.flush(3.0)
    assert time.monotonic() - begun < 8  # three seconds, and what a busy machine takes beside
    balance("spans", made=10, lost=pipeline.dropped())
    assert pipeline.losses() == {("traces", "undelivered"): 10}
    assert len(lines()) == 1
    assert "10 records are lost" in lines()[0]
    assert not Path("ailoop-telemetry").exists()


@pytest.mark.fault(
    "collector",
    theirs="A short outage",
    promise="Bridged by the disk; one line when it begins, one when it is over",
)
def test_a_collector_that_comes_back_gets_the_rest(
    collector: Collector, start: Start, monkeypatch: pytest.MonkeyPatch, lines: Lines, balance: Balance
) -> None:
    """A short failure is bridged by the disk: nothing is dropped, one line reports it, and one that it is over."""
    collector.mode = "503"
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    pipeline = start()
    span(pipeline)
    assert pipeline.flush(0.3)
    assert collector.spans == []
    collector.mode = "ok"
    wait_for(lambda: len(lines()) == 2)
    balance("spans", made=1, delivered=collector.spans.count("span"), lost=pipeline.dropped())
    assert "answers 503" in lines()[0]
    assert "getting through again" in lines()[1]
    assert list(Path("ailoop-telemetry").glob("*.jsonl")) == []


def test_a_flush_behind_another_flushes_what_came_since(
    collector: Collector, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two flushes at the same time are two flushes: the second one's spans are out when it says so."""
    collector.mode = "hang"
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    pipeline = start()
    span(pipeline, "one")
    assert pipeline.flush(0.5)
    span(pipeline, "two")
    collector.mode = "ok"
    collector.release()
    assert pipeline.flush(3.0)
    wait_for(lambda: {"one", "two"} <= set(collector.spans))


@pytest.mark.fault(
    "collector",
    theirs="One flush after another while the collector hangs",
    promise="They do not pile up",
)
def test_flushing_a_dead_collector_again_costs_nothing_more(
    collector: Collector, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Flushes do not pile up behind one that hangs."""
    collector.mode = "hang"
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    pipeline = start()
    span(pipeline)
    for _ in range(5):
        assert pipeline.flush(0.3)
    assert all(thread._queue.qsize() == 0 for _, thread in pipeline._threads)
    collector.mode = "ok"
    collector.release()
    assert pipeline.flush(3.0)


@pytest.mark.fault(
    "foreign",
    theirs="A log processor of somebody else's hangs",
    promise="Flush and shutdown keep to their time",
)
def test_what_is_still_to_be_recorded_holds_nobody_up(
    collector: Collector, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may go through a log processor of somebody else's that hangs: flush and shutdown keep to their time."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    pipeline = start()
    deferred = deferred_of(pipeline.tracer_provider)
    assert deferred is not None
    go = threading.Event()
    deferred.defer(go.wait, 60)
    before = time.monotonic()
    assert not pipeline.flush(0.3)
    assert not pipeline.shutdown(0.3)
    assert time.monotonic() - before < 30
    go.set()


@pytest.mark.fault(
    "foreign",
    theirs="The host switches telemetry off and on again",
    promise="The second life records as the first did",
)
def test_a_second_life_after_shutdown(start: Start, tmp_path: Path) -> None:
    """Our own global provider, once shut down, is not taken for the user's: a new start records again."""
    first = start()
    assert first.shutdown()
    second = start()
    record(second)
    assert second.flush()
    assert set(written(tmp_path / "ailoop-telemetry")) == {"traces", "metrics", "logs"}
    assert second.dropped() == 0


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_worker_has_files_and_an_identity_of_its_own(start: Start, tmp_path: Path) -> None:
    """What the child records is in the child's files, under another instance id, and none of it is lost."""
    pipeline = start()
    span(pipeline, "parent")

    def work() -> bool:
        span(pipeline, "child")
        return pipeline.flush() and pipeline.shutdown()

    assert in_child(work) == 0
    assert pipeline.flush()
    seen = {}
    for path in (tmp_path / "ailoop-telemetry").glob("traces-*"):
        (line,) = (json.loads(line) for line in path.read_text().splitlines())
        (resource,) = line["resourceSpans"]
        attributes = {item["key"]: next(iter(item["value"].values())) for item in resource["resource"]["attributes"]}
        (recorded,) = resource["scopeSpans"][0]["spans"]
        assert str(attributes["process.pid"]) == path.name.split("-")[2]
        seen[recorded["name"]] = (path.name.split("-")[2], attributes["service.instance.id"])
    assert seen["parent"][0] == str(os.getpid())
    assert seen["child"][0] != seen["parent"][0]
    assert seen["parent"][1] != seen["child"][1]
