"""Files of targets."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from ailoop_otel.measure import Refusal
from ailoop_otel.measure.results.definitions import TIMEOUT_TOLD
from ailoop_otel.measure.results.observations import observed
from ailoop_otel.measure.results.run import Run
from ailoop_otel.measure.verdict import targets
from ailoop_otel.measure.verdict.judge import judge_by_files
from ailoop_otel.measure.verdict.targets import Target
from ailoop_otel.measure.verdict.verdict import Verdict
from tests.measure import latencies

FILE = """
[first_chunk]
p95 = "2 s"
p50 = "500 ms"
tolerance = "15 %"

[message_rate]
value = "20 /s"

[session_duration]
p50 = ">= 10 min"

[scenarios.soak.first_chunk]
p95 = "3 s"
tolerance = "30 %"

[scenarios.soak.memory_growth]
value = "10 kB/s"
"""


def written(directory: Path, text: str) -> Path:
    path = directory / "targets.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_target_holds_in_every_scenario(tmp_path: Path) -> None:
    """At most or at least, by the metric's direction or by the sign."""
    wanted = targets.load(written(tmp_path, FILE), "throughput")
    assert wanted.targets == (
        Target("first_chunk", "p95", 2.0, at_most=True),
        Target("first_chunk", "p50", 0.5, at_most=True),
        Target("message_rate", "value", 20.0, at_most=False),
        Target("session_duration", "p50", 600.0, at_most=False),
    )
    assert (wanted.tolerance("first_chunk", 0.1), wanted.tolerance("completion", 0.1)) == (0.15, 0.1)


def test_a_scenario_has_targets_of_its_own(tmp_path: Path) -> None:
    """They go before the general ones, figure by figure."""
    wanted = targets.load(written(tmp_path, FILE), "soak")
    assert wanted.limit("first_chunk", "p95") == 3.0
    assert wanted.limit("first_chunk", "p50") == 0.5
    assert wanted.limit("memory_growth", "value") == 1e4
    assert wanted.limit("error_rate", "value") is None
    assert wanted.tolerance("first_chunk", 0.1) == 0.3


@pytest.mark.parametrize(
    ("text", "mend"),
    [
        ('[frist_chunk]\np95 = "2 s"', "there is no metric 'frist_chunk': did you mean 'first_chunk'?"),
        ('[first_chunk]\np94 = "2 s"', "[first_chunk] p94: first_chunk has no such figure: did you mean 'p9"),
        ('[first_chunk]\nvalue = "2 s"', "take one of mean, p50, p90, p95, p99, max, min"),
        ('[error_rate]\np95 = "5 /1000"', "error_rate has no such figure: take one of value"),
        ("[first_chunk]\np95 = 2", "[first_chunk] p95 = '2' has no unit: write \"2 s\""),
        ('[first_chunk]\np95 = "2 MB"', "has the unit 'MB'"),
        ("[first_chunk]\np95 = true", "True is no value with its unit in quotes"),
        ('[session_duration]\np50 = "1 h"', 'could mean two things: write "<= 1 h" or ">= 1 h"'),
        ("[first_chunk]\ntolerance = 10", 'tolerance = 10 is no tolerance: write "10 %"'),
        ('[first_chunk]\ntolerance = "10"', "tolerance = '10' is no tolerance: write \"10 %\""),
        ('[first_chunk]\ntolerance = "-5 %"', 'makes no sense: write "10 %"'),
        ('first_chunk = "2 s"', "stand in a table"),
        ('[scenario.soak.first_chunk]\np95 = "2 s"', "did you mean 'scenarios'?"),
        ('[scenarios.soak]\nfirst_chunk = "2 s"', "scenarios.soak.first_chunk = '2 s' stands alone"),
        ('[scenarios.other.frist_chunk]\np95 = "2 s"', "[scenarios.other.frist_chunk]"),
        ("[first_chunk", "is not TOML"),
    ],
)
def test_a_bad_file_is_one_error_that_names_the_mend(tmp_path: Path, text: str, mend: str) -> None:
    """Where in which file, and what to write."""
    path = written(tmp_path, text)
    with pytest.raises(Refusal) as error:
        targets.load(path, "soak")
    assert mend in str(error.value)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """Unlike a baseline, targets do not come by themselves."""
    with pytest.raises(Refusal, match="cannot read the targets .*No such file"):
        targets.load(tmp_path / "none.toml", "soak")


def test_the_default_targets_are_those_of_what_was_observed() -> None:
    """A scenario adds its own; what a run has not observed is not judged by them, though a file's target would be."""
    wanted = targets.load("default", "soak")
    assert wanted.if_observed
    assert wanted.limit("first_chunk", "p95") == 2.0
    assert wanted.limit("memory_growth", "value") == 1e4
    assert targets.load("default", "mixed").limit("memory_growth", "value") is None
    judgement = judge_by_files(latencies.run(1), targets="default")
    assert {(row.metric, row.figure) for row in judgement.rows} == {("first_chunk", "p95"), ("error_rate", "value")}
    assert judgement.verdict is Verdict.PASS
    assert judge_by_files(latencies.run(1, median=5.0), targets="default").verdict is Verdict.FAIL


def test_what_is_meant_to_fail_is_no_failure_of_the_default_targets() -> None:
    """Where the AI is not to answer, only the report of the timeout is judged."""
    run = latencies.run(1, n=9, failing=1.0)
    told = [observed(TIMEOUT_TOLD, 10.0 + at / 1000, float(at), outcome="ai_timeout", exchange=at) for at in range(9)]
    context = dataclasses.replace(run.context, settings={"expects": ["ai_timeout"]})
    judgement = judge_by_files(Run(context, [*run.observations, *told]), targets="default")
    assert [(row.metric, row.verdict) for row in judgement.rows] == [("ai_timeout_told", Verdict.PASS)]


def test_each_default_target_has_its_reason() -> None:
    """A comment stands above each value."""
    lines = (Path(targets.__file__).parent / "default_targets.toml").read_text(encoding="utf-8").splitlines()
    values = [number for number, line in enumerate(lines) if " = " in line and not line.startswith("#")]
    assert len(values) >= 6
    assert all(lines[number - 1].startswith("# ") for number in values)
