"""Two servers in turns."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ailoop_otel import cli
from ailoop_otel.measure.commands import ab as interleaving
from ailoop_otel.measure.commands.ab import Side, rounds
from ailoop_otel.measure.results import storage
from ailoop_otel.measure.results.run import Context, Run
from tests.measure.scripted_server import LOOPBACK, command, free_port, scripted

SHORT = ["--set", "duration=0.5", "--set", "warmup=0", "--set", "sessions=6", "--set", "opening=1000"]


def test_rounds_go_a_b_b_a() -> None:
    """Who comes first changes from round to round, and each pair is A's run and B's."""
    order: list[str] = []

    def run(side: Side, number: int) -> Run:
        order.append(f"{side.name}{number}")
        return Run(Context(side.name), [])

    pairs = list(rounds(4, Side("A", "ws://a"), Side("B", "ws://b"), run))
    assert order == ["A0", "B0", "B1", "A1", "A2", "B2", "B3", "A3"]
    assert [(one.context.scenario, other.context.scenario) for one, other in pairs] == [("A", "B")] * 4


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two rounds are allowed: they prove nothing, but they are run."""
    monkeypatch.setattr(interleaving, "FEWEST_PAIRS", 2)


@pytest.mark.usefixtures("few")
def test_two_addresses_are_measured_in_turns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The difference is the servers', and every run is kept."""
    with scripted(first=0.1) as fast, scripted(first=0.15) as slow:
        words = ["ab", "throughput", "--url-a", fast.url, "--url-b", slow.url, "--rounds", "2", *SHORT]
        assert cli.main([*words, "--out", str(tmp_path / "out"), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    (median,) = (row for row in document["rows"] if (row["metric"], row["figure"]) == ("first_chunk", "p50"))
    assert median["change"] == pytest.approx(0.5, abs=0.3)
    assert document["verdict"] == "inconclusive"
    assert "2 pairs are too few: 5 are needed" in median["reason"]
    assert json.loads((tmp_path / "out" / "judgement.json").read_text()) == document
    assert median["change"] == pytest.approx(median["value"] / median["reference"] - 1)
    summary = (tmp_path / "out" / "summary.md").read_text()
    assert "| first\\_chunk p50 |" in summary
    assert "INCONCLUSIVE" in summary
    kept = sorted(path.name for path in (tmp_path / "out").iterdir() if path.is_dir())
    assert kept == ["01-A", "01-B", "02-A", "02-B"]
    assert storage.load(tmp_path / "out" / "01-A").context.server["side"] == "A"


@pytest.mark.usefixtures("few")
def test_each_round_starts_its_server(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One address for both, which are started in turns; a side that only fails is said once, and B fails for it."""
    port = free_port()
    good, bad = (" ".join(command(port, first=0.02, end=end)) for end in ("ok", "ai_error"))
    words = ["ab", "throughput", "--start-a", good, "--start-b", bad, "--url", f"ws://{LOOPBACK}:{port}/ws"]
    assert cli.main([*words, "--rounds", "2", *SHORT, "--out", str(tmp_path / "out")]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert any("server_memory mean" in line and " MB " in line for line in lines)
    assert sum("B: no message succeeded" in line for line in lines if line.startswith("•")) == 1
    assert any("FAIL" in line for line in lines)
    assert str(tmp_path / "out") in lines[-1]


@pytest.mark.parametrize(
    ("words", "mend"),
    [
        (["--rounds", "2"], "--rounds 2 can prove nothing: take 5 or more"),
        ([], "both servers are at ws://127.0.0.1:8000/ws: give two addresses"),
        (["--start", "x", "--tolerance", "3"], "--tolerance: '3' is no tolerance"),
        (["--start", "x", "--out", "{full}"], "is not empty; give another --out"),
    ],
)
def test_what_cannot_be_done_is_one_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], mend: str
) -> None:
    """Before anything is measured."""
    (tmp_path / "file").write_text("")
    assert cli.main(["ab", "throughput", *(word.format(full=tmp_path) for word in words)]) == 2
    assert mend in capsys.readouterr().err
