"""How a process ends: everything is flushed, nothing hangs, and little is logged."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import sysconfig
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.export.collector import Collector
from tests.reliability.balance import Balance

# Seconds: three for the flush, and what a busy machine takes to end an interpreter. An export of its own takes so long
# that it is told from both.
GONE = 30.0
HANGING = {"OTEL_EXPORTER_OTLP_TIMEOUT": "120"}
BEGIN = """
import os, sys, logging, time
logging.basicConfig()
from ailoop_otel.export.pipeline import Pipeline
from ailoop_otel.guard import Guard
from ailoop_otel.settings import Settings
pipeline = Pipeline.start(Settings.from_environment(), Guard(strict=True))
def span(name):
    pipeline.tracer_provider.get_tracer("test").start_span(name).end()
counter = pipeline.meter_provider.get_meter("test").create_counter("messages")
counter.add(1)
span("one")
print("ready", flush=True)
"""


@dataclass
class Ended:
    """What was seen of a process that ended: seconds from its last line to its end."""

    code: int
    output: str
    errors: str
    seconds: float


def _run(script: str, directory: Path, begin: str = BEGIN, kill: int = 0, **variables: str) -> Ended:
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "AILOOP_OTEL_"))}
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", begin + script],
        cwd=directory,
        env=plain | HANGING | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    first = process.stdout.readline()
    begun = time.monotonic()
    if kill:
        process.send_signal(kill)
    assert process.stderr is not None
    with process.stdout, process.stderr:
        # Not `communicate`, which knows nothing of what `readline` has read ahead.
        output, errors = process.stdout.read(), process.stderr.read()
    process.wait()
    return Ended(process.returncode, first + output, errors, time.monotonic() - begun)


def _text(directory: Path, kind: str) -> str:
    return "".join(path.read_text() for path in sorted(directory.glob(f"ailoop-telemetry/{kind}-*.jsonl")))


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("", 0),
        ("sys.exit(3)", 3),
        ("raise KeyboardInterrupt", -signal.SIGINT),
        ("1 / 0", 1),
    ],
)
@pytest.mark.fault(
    "process",
    theirs="The process ends by itself, by an exit code, an interrupt or a crash",
    promise="Everything is in the files; the exit code is its own",
)
def test_everything_is_flushed_however_it_ends(tmp_path: Path, script: str, code: int) -> None:
    """A normal end, an exit, an interrupt and a crash lose nothing, keep their exit code and wait for nothing."""
    ended = _run("span('last')\n" + script, tmp_path)
    assert ended.code == code
    assert "last" in _text(tmp_path, "traces")
    assert "messages" in _text(tmp_path, "metrics")
    assert ended.seconds < GONE
    assert "ailoop" not in ended.errors


@pytest.mark.fault(
    "process",
    theirs="Ctrl-C",
    promise="Everything is in the files",
)
def test_an_interrupt_from_outside(tmp_path: Path) -> None:
    """Ctrl-C in the terminal is no other end."""
    ended = _run("time.sleep(100)", tmp_path, kill=signal.SIGINT)
    assert ended.code == -signal.SIGINT
    assert "one" in _text(tmp_path, "traces")


@pytest.mark.fault(
    "process",
    theirs="`kill -9`",
    promise="Only what is younger than an export interval is lost; the files have whole lines",
)
def test_a_kill_loses_what_is_younger_than_an_interval(tmp_path: Path) -> None:
    """After `kill -9` what is older than an export interval is in the files, in whole lines."""
    script = """
import pathlib
span("old")
until = time.monotonic() + 60
while not any('"old"' in path.read_text() for path in pathlib.Path("ailoop-telemetry").glob("traces-*")):
    assert time.monotonic() < until
    time.sleep(0.01)
span("young")
os.kill(os.getpid(), 9)
"""
    ended = _run(script, tmp_path)
    assert ended.code == -signal.SIGKILL
    text = _text(tmp_path, "traces")
    assert "old" in text
    assert text.endswith("}\n")


@pytest.mark.parametrize(
    ("mode", "script"),
    [
        ("hang", ""),
        ("hang", "pipeline.flush(3.0)"),
        ("503", "pipeline.flush(3.0)\npipeline.shutdown()"),
    ],
)
@pytest.mark.fault(
    "process",
    theirs="A process ends while its collector hangs or answers 503",
    promise="Gone within three seconds, one line, everything on disk",
)
def test_a_dead_collector_does_not_keep_the_process(
    tmp_path: Path, collector: Collector, balance: Balance, mode: str, script: str
) -> None:
    """Whether it flushes first or just ends, it is gone after three seconds, with one line, and all is on disk."""
    collector.mode = mode
    ended = _run(script, tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
    assert ended.code == 0
    assert ended.seconds < GONE
    assert len(ended.errors.splitlines()) == 1, ended.errors
    balance("spans", made=1, kept=_text(tmp_path, "undelivered-traces").count('"name":"one"'))
    assert "messages" in _text(tmp_path, "undelivered-metrics")


def test_a_collector_that_answers_gets_everything(tmp_path: Path, collector: Collector) -> None:
    """What is recorded in the last moment is sent in the last moment."""
    ended = _run("span('last')", tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
    assert (ended.code, ended.errors) == (0, "")
    assert collector.spans == ["one", "last"]
    assert "/v1/metrics" in collector.paths


@pytest.mark.fault(
    "threads",
    theirs="A forked child ends by itself",
    promise="It flushes its own, once; the parent flushes the rest",
)
def test_a_forked_child_that_ends_by_itself(tmp_path: Path) -> None:
    """The child's `atexit` flushes what the child recorded, once, and the parent's flushes the rest."""
    script = """
import warnings
warnings.simplefilter("ignore")
child = os.fork()
span("child" if not child else "parent")
if child:
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
"""
    ended = _run(script, tmp_path)
    assert (ended.code, ended.errors) == (0, "")
    text = _text(tmp_path, "traces")
    assert {name: text.count(f'"name":"{name}"') for name in ("one", "child", "parent")} == {
        "one": 1,
        "child": 1,
        "parent": 1,
    }


def test_the_embedded_default_imports_no_exporter_it_does_not_use(tmp_path: Path) -> None:
    """gRPC, protobuf and requests stay out of a process that writes files: they are most of the start-up cost."""
    script = "print([name for name in ('grpc', 'google.protobuf', 'requests') if name in sys.modules])"
    assert "[]" in _run(script, tmp_path).output


def test_grpc_is_imported_when_it_is_asked_for(tmp_path: Path) -> None:
    """And only then; without a collector it does not keep the process either."""
    script = "print([name for name in ('grpc', 'requests') if name in sys.modules])"
    endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
    ended = _run(script, tmp_path, **endpoint)
    assert "['grpc']" in ended.output
    assert ended.code == 0
    assert ended.seconds < GONE
    assert len(ended.errors.splitlines()) <= 1


def test_opentelemetry_instrument_writes_the_same_files(tmp_path: Path) -> None:
    """With our distro the SDK that it sets up is used as it is, and flushed."""
    script = (
        BEGIN
        + """
from opentelemetry import trace
assert pipeline.description == "traces, metrics, logs → the provider that was there already", pipeline.description
print(dict(trace.get_tracer_provider().resource.attributes)["service.name"])
assert pipeline.flush()
print(os.listdir("ailoop-telemetry"))
"""
    )
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "AILOOP_OTEL_"))}
    instrument = Path(sysconfig.get_path("scripts")) / "opentelemetry-instrument"
    done = subprocess.run(
        [instrument, sys.executable, "-c", script],
        cwd=tmp_path,
        env=plain | {"OTEL_PYTHON_DISTRO": "ailoop", "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "*"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "\nailoop\n" in done.stdout
    assert "one" in _text(tmp_path, "traces")
    assert "messages" in _text(tmp_path, "metrics")
