"""The command `compare`, as a user runs it."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import pytest
from rich.console import Console

from ailoop_otel import cli
from ailoop_otel.measure.commands import compare
from ailoop_otel.measure.results import storage
from ailoop_otel.measure.results.run import Run
from ailoop_otel.measure.verdict import baseline
from ailoop_otel.measure.verdict.judge import judge, judge_pairs
from tests.measure.latencies import run


def saved(made: Run, directory: Path) -> str:
    storage.save(made, directory)
    return str(directory)


@pytest.mark.parametrize(
    ("factor", "code", "verdict"), [(1.0, 0, "✓ PASS  B is as good"), (1.2, 1, "✗ FAIL  B is worse")]
)
def test_two_runs_side_by_side(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], factor: float, code: int, verdict: str
) -> None:
    """Both values, the change with its interval, and what it comes to, within 80 columns."""
    before, after = saved(run(1), tmp_path / "a"), saved(run(2, slower=factor), tmp_path / "b")
    assert cli.main(["compare", before, after]) == code
    lines = capsys.readouterr().out.splitlines()
    (first_chunk,) = (line for line in lines if line[1:].strip().startswith("first_chunk p50  "))
    assert " ms " in first_chunk
    assert " % to " in first_chunk
    assert any(verdict in line for line in lines)
    assert all(len(line) <= 80 for line in lines[1:])


def test_what_is_inconclusive_fails_if_asked_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 0, and 1 with --strict; the reason is printed."""
    words = ["compare", saved(run(1), tmp_path / "a"), saved(run(2), tmp_path / "b"), "--tolerance", "1 %"]
    assert cli.main(words) == 0
    assert "may be within or beyond the 1.0 % allowed" in capsys.readouterr().out.replace("\n", " ").replace("  ", " ")
    assert cli.main([*words, "--strict"]) == 1


def test_json_is_strict(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One document, also where failures make a figure infinite."""
    before, after = tmp_path / "baseline.json", saved(run(2, failing=0.1), tmp_path / "b")
    baseline.save([run(1)], before)
    assert cli.main(["compare", str(before), after, "--json"]) == 1
    document = json.loads(capsys.readouterr().out, parse_constant=lambda name: pytest.fail(name))
    assert document["verdict"] == "fail"
    (p95,) = (row for row in document["rows"] if (row["metric"], row["figure"]) == ("first_chunk", "p95"))
    assert (p95["value"], p95["change"], p95["verdict"], p95["against"]) == ("+inf", "+inf", "fail", "baseline")


def test_targets_have_a_table_of_their_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """They are about B alone."""
    (tmp_path / "targets.toml").write_text('[first_chunk]\np95 = "1 s"\n[message_rate]\nvalue = "90 /s"\n')
    before, after = saved(run(1), tmp_path / "a"), saved(run(2), tmp_path / "b")
    assert cli.main(["compare", before, after, "--targets", str(tmp_path / "targets.toml")]) == 1
    out = capsys.readouterr().out
    assert "≤ 1,000 ms" in out
    assert "≥ 90/s" in out


def test_a_remark_says_which_run_it_is_about(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Once each, and once for both where both say it."""
    before, after = (dataclasses.replace(run(n).context, notes=("The same.", f"Number {n}.")) for n in (1, 2))
    places = [saved(Run(context, run(n).observations), tmp_path / str(n)) for n, context in ((1, before), (2, after))]
    cli.main(["compare", *places])
    output = [line for line in capsys.readouterr().out.splitlines() if line.startswith(("• A", "• B"))]
    assert output == ["• A and B: The same.", "• A: Number 1.", "• B: Number 2."]


@pytest.mark.parametrize("absolute", [False, True])
def test_what_is_shown_of_rounds_is_what_changed(absolute: bool) -> None:
    """Means over rounds: the change is that of the two values shown; more rounds are asked for, not longer ones."""
    pairs = [
        (run(2 * n, n=150, slower=slow), run(2 * n + 1, n=150, slower=slow * more))
        for n, (slow, more) in enumerate([(1, 1.3), (3, 0.9), (1, 1.4), (2, 1.0), (1, 1.2), (2, 1.1)])
    ]
    judgement = judge_pairs(pairs)
    rows = [row for row in judgement.rows if row.reference is not None and (row.change is None) is absolute]
    assert rows
    for row in rows:
        assert row.reference is not None
        assert row.low <= row.value <= row.high
        if row.change is not None:
            assert row.change == pytest.approx(row.value / row.reference - 1)
    output = " ".join(row.reason for row in judgement.rows)
    assert "times as long" not in output
    assert re.search(r"rounds cannot tell; about --rounds \d+ would", output)


@pytest.mark.parametrize(
    ("words", "mend"),
    [
        (["{a}", "{none}"], "is not there: give a run directory"),
        (["{a}", "{empty}"], "is no run directory"),
        (["{a}", "{a}", "--tolerance", "10"], "--tolerance: '10' is no tolerance: write \"10 %\""),
        (["{a}", "{a}", "--targets", "{none}"], "cannot read the targets"),
    ],
)
def test_what_cannot_be_compared_is_one_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], mend: str
) -> None:
    """Exit code 2 and one line that names the mend."""
    (tmp_path / "empty").mkdir()
    places = {
        "a": saved(run(1, n=40), tmp_path / "a"),
        "none": str(tmp_path / "none"),
        "empty": str(tmp_path / "empty"),
    }
    assert cli.main(["compare", *(word.format(**places) for word in words)]) == 2
    output = capsys.readouterr()
    assert mend in output.err
    assert output.err.count("\n") == 1
    assert not output.out


def test_a_plain_terminal_gets_plain_signs(tmp_path: Path) -> None:
    """Nothing but ASCII where there is nothing but ASCII."""
    with (tmp_path / "out").open("w", encoding="ascii") as file:
        compare.show(judge(run(2, slower=1.3, failing=0.1), run(1)), "A and B", Console(file=file, width=100))
    text = (tmp_path / "out").read_text(encoding="ascii")
    assert "x FAIL" in text
    assert "+inf %" in text
