"""The load generator's own limits are found before the run, or named as its own; the server's are the server's."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ailoop_otel.measure import Refusal
from ailoop_otel.measure.load import limits, scenario
from ailoop_otel.measure.load.campaign import measure
from ailoop_otel.measure.results import definitions
from ailoop_otel.measure.verdict.judge import judge_by_files
from ailoop_otel.measure.verdict.verdict import Verdict
from tests.measure.scripted_server import scripted

ROOT = Path(__file__).parent.parent.parent.parent
QUICK = ("opening=1000", "warmup=0", "duration=1", "arrivals=constant")

# Measures without the check before the run, as a system would have it whose limit is met in the middle of one.
UNCHECKED = """
import json, sys
from ailoop_otel.measure.load import campaign, scenario
from ailoop_otel.measure.verdict.judge import judge_by_files
campaign.check_limits = lambda sessions, processes: None
name, url, *overrides = sys.argv[1:]
run = campaign.measure(scenario.load(name, overrides), url)
judgement = judge_by_files(run)
starts = sorted({row.outcome for row in run.observations if row.metric == "session_start"})
print(json.dumps({
    "verdict": judgement.verdict.value, "notes": judgement.notes, "load": run.context.load, "starts": starts,
    "said": run.context.notes, "metrics": [each.name for each in run.metrics()],
}))
"""


def limited(limit: str, *command: str) -> subprocess.CompletedProcess[str]:
    """A command under `ulimit`."""
    return subprocess.run(
        ["sh", "-c", f"ulimit {limit} && exec {shlex.join(command)}"], cwd=ROOT, capture_output=True, text=True,
        timeout=120, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def unchecked(limit: str, *words: str) -> dict[str, Any]:
    ended = limited(limit, sys.executable, "-c", UNCHECKED, *words)
    assert ended.returncode == 0, ended.stderr
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


def test_too_few_descriptors_are_found_before_the_run() -> None:
    """No server is asked, and the message names the mends."""
    words = ("measure", "concurrent_sessions", "--set", "ramp.most=300")
    ended = limited("-n 128", sys.executable, "-m", "ailoop_otel.cli", *words)
    assert ended.returncode == 2
    assert "may have 128 files open, and needs 364 for 300 sessions in 1: raise the limit (`ulimit -n" in ended.stderr
    assert "use more --processes" in ended.stderr


def test_more_processes_have_more_descriptors() -> None:
    """The limit is one of each."""
    hard = limits._descriptors()
    if hard:
        with pytest.raises(Refusal, match="use more --processes"):
            limits.check_limits(hard, 1)
        limits.check_limits(min(hard, 20_000), 64)


def test_too_few_ports_are_found_before_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each connection to one address needs one; a system that does not say has no such check."""
    (tmp_path / "range").write_text("32768\t32867\n")
    monkeypatch.setattr(limits, "_PORTS", tmp_path / "range")
    limits.check_limits(100, 4)
    with pytest.raises(Refusal, match="has 100 ports .* widen `sysctl net.ipv4.ip_local_port_range`"):
        limits.check_limits(101, 4)
    monkeypatch.setattr(limits, "_PORTS", tmp_path / "none")
    limits.check_limits(101, 4)


def test_a_low_soft_limit_is_raised() -> None:
    """What the system lets it ask for, it asks for."""
    with scripted(first=0.01) as server:
        found = unchecked("-S -n 60", "mixed", server.url, *QUICK, "sessions=90", "rate=40")
    assert (found["load"]["connected"], found["load"]["sessions"], found["load"]["own_limit"]) == (90, 90, "")
    assert found["verdict"] == "not judged"


def test_descriptors_that_run_out_are_the_generators() -> None:
    """Sessions that could not be opened were not refused by the server."""
    with scripted(first=0.01) as server:
        found = unchecked("-n 60", "mixed", server.url, *QUICK, "sessions=90", "rate=40")
    assert found["verdict"] == "inconclusive"
    held = found["load"]["connected"]
    assert 20 < held < 60
    assert found["notes"][0].startswith(
        f"the load generator was at its own limit, not the server ({held} of 90 sessions were held): it has too many"
    )
    assert found["starts"] == ["generator_limit", "ok"]


def test_a_search_does_not_report_the_generators_limit() -> None:
    """No figure says how many sessions are stable."""
    levels = ("ramp.start=20", "ramp.step=20", "ramp.most=80", "ramp.seconds=0.5", "ramp.rate=1.0", "stable.hold=0.5")
    with scripted(first=0.01) as server:
        found = unchecked("-n 60", "concurrent_sessions", server.url, "opening=1000", "warmup=0", *levels)
    assert found["verdict"] == "inconclusive"
    assert len(found["notes"]) == 2
    assert "the load generator was at its own limit, not the server" in found["notes"][0]
    assert any("How much more would be is not known" in note for note in found["said"])
    assert definitions.STABLE_SESSIONS.name not in found["metrics"]


def test_sessions_that_the_server_refuses_are_its_failure() -> None:
    """20 of 40, though all messages that were sent had their answer."""
    with scripted(first=0.01, limit=20) as server:
        run = measure(scenario.load("mixed", [*QUICK, "sessions=40", "rate=40"]), server.url)
    assert (run.context.load["sessions"], run.context.load["connected"]) == (40, 20)
    judgement = judge_by_files(run, targets="default")
    assert judgement.verdict is Verdict.FAIL
    assert judgement.notes[0].startswith("20 of 40 sessions were held, and the server refused the others: ")


def test_a_rate_that_all_sessions_are_too_busy_for_was_not_put_on() -> None:
    """Two sessions that are busy for half a second each cannot send 40 a second."""
    words = (*QUICK, "sessions=2", "rate=40", "patience=3")
    with scripted(first=0.5) as server:
        run = measure(scenario.load("mixed", words, ["hello"]), server.url)
    assert run.context.load["planned"] == pytest.approx(40, abs=3)
    assert run.context.load["sent"] < 20
    judgement = judge_by_files(run)
    assert judgement.verdict is Verdict.INCONCLUSIVE
    assert "the rate that was asked for was not put on; ask for more sessions, or less" in judgement.notes[0]
