"""Files of targets."""

from __future__ import annotations

from pathlib import Path

import pytest

from ailoop_otel.measure import Refusal
from ailoop_otel.measure.verdict import targets
from ailoop_otel.measure.verdict.targets import Target

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
