"""`ailoop-otel report`: from telemetry, from a run again, from client and server together, from old files."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from opentelemetry.trace import format_trace_id

from ailoop_otel.cli import main
from ailoop_otel.measure.results import definitions, storage
from ailoop_otel.measure.results.observations import observed
from ailoop_otel.measure.results.run import Context, Run
from tests.view.sample import Sample, a_day

Report = Callable[..., tuple[int, str, str]]


@pytest.fixture
def report(capsys: pytest.CaptureFixture[str]) -> Report:
    """Run the command; returns exit code, output without line breaks, and standard error."""

    def run(*words: object) -> tuple[int, str, str]:
        code = main(["report", *map(str, words)])
        output = capsys.readouterr()
        return code, " ".join(output.out.split()), output.err

    return run


@pytest.fixture
def day(tmp_path: Path) -> Path:
    """A server's recorded telemetry."""
    directory = tmp_path / "telemetry"
    a_day(directory)
    return directory


def test_telemetry_is_reported_like_a_load_test(day: Path, tmp_path: Path, report: Report) -> None:
    """All files of a run, with links into Jaeger, and the summary in the terminal."""
    out = tmp_path / "out"
    code, output, _ = report(day, "--out", out, "--jaeger", "http://127.0.0.1:16686")
    assert code == 0
    assert "9 of 13 exchanges failed" in output
    assert {
        "run.json",
        "observations.csv",
        "observations.json",
        "summary.json",
        "summary.md",
        "report.html",
        "junit.xml",
    } == {path.name for path in out.iterdir()}
    assert "Message to first AI chunk, on the server" in (out / "summary.md").read_text()
    summary = json.loads((out / "summary.json").read_text())
    assert summary["context"]["source"] == "telemetry"
    assert all(each["link"].startswith("http://127.0.0.1:16686/trace/") for each in summary["worst"])


def test_a_run_is_reported_again(day: Path, tmp_path: Path, report: Report) -> None:
    """The same figures from the run directory as from the telemetry itself."""
    first = report(day, "--out", tmp_path / "one")
    again = report(tmp_path / "one")
    assert again[0] == 0
    assert again[1] == first[1].partition(" Report and raw data:")[0]


def test_load_test_and_production_are_judged_by_the_same_numbers(day: Path, tmp_path: Path, report: Report) -> None:
    """One target for the server's first chunk fails a run from telemetry and is met by another."""
    targets = tmp_path / "targets.toml"
    targets.write_text('[error_rate]\nvalue = "1 /1000"\n')
    code, output, _ = report(day, "--targets", targets)
    assert code == 1
    assert "fail" in output.lower()
    targets.write_text('[error_rate]\nvalue = "900 /1000"\n')
    assert report(day, "--targets", targets)[0] == 0


def test_without_a_directory_it_is_the_one_of_the_settings(
    day: Path, report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As everywhere in the product."""
    monkeypatch.setenv("AILOOP_OTEL_DIRECTORY", str(day))
    code, output, _ = report()
    assert code == 0
    assert "9 of 13 exchanges failed" in output


def test_too_little_data_fails_only_who_is_strict(day: Path, tmp_path: Path, report: Report) -> None:
    """An inconclusive verdict is no failure, except with --strict."""
    targets = tmp_path / "targets.toml"
    targets.write_text('[server_first_chunk]\np50 = "10 min"\n')
    assert report(day, "--targets", targets)[0] == 0
    assert report(day, "--targets", targets, "--strict")[0] == 1


def test_the_next_days_telemetry_is_held_against_the_first(day: Path, tmp_path: Path, report: Report) -> None:
    """Without a baseline the first passes with a note; then it is one."""
    code, output, _ = report(day, "--baseline", tmp_path / "one", "--out", tmp_path / "one")
    assert code == 0
    assert "is not there yet" in output
    assert report(day, "--baseline", tmp_path / "one", "--tolerance", "20 %")[0] == 0


def test_client_and_server_are_reported_together(tmp_path: Path, report: Report) -> None:
    """A run directory and the server's telemetry of the same load."""
    sample = Sample(tmp_path / "telemetry")
    trace = format_trace_id(sample.exchange("s", 0, 2.5, first_chunk=0.5).get_span_context().trace_id)
    sample.close()
    rows = [
        observed(definitions.FIRST_CHUNK, 0.75, 0.0, exchange=1, trace_id=trace),
        observed(definitions.COMPLETION, 3.0, 0.0, exchange=1, trace_id=trace),
    ]
    storage.save(Run(Context("throughput"), rows), tmp_path / "load")
    code, output, _ = report(sample.directory, "--client", tmp_path / "load")
    assert code == 0
    assert "First chunk: client less server" in output
    assert "1 messages were found on both sides" in output


def test_old_files_are_reported_event_by_event(tmp_path: Path, report: Report) -> None:
    """Several files behind one flag."""
    for name in ("one.csv", "two.csv"):
        (tmp_path / name).write_text("event,latency\nstart_session,0.002\ntimeout_trigger,10.0\n")
    code, output, _ = report("--legacy", tmp_path / "one.csv", tmp_path / "two.csv")
    assert code == 0
    assert "Old tests: startSession" in output
    assert "lies between populations" in output


@pytest.mark.parametrize(
    ("words", "mend"),
    [
        (("{tmp}/gone",), "name the directory that the server writes its telemetry to"),
        (("{tmp}",), "no telemetry in"),
        (("{day}", "{day}"), "name one directory"),
        (("{day}", "--since", "8"), "--since '8' is no time: write 90s, 10m"),
        (("{day}", "--since", "banana"), "--since 'banana' is no time: write 90s"),
        (("{day}", "--since", "1 s"), "leave --since out"),
        (("{day}", "--tolerance", "5 %"), "give --baseline, or leave it out"),
        (("{day}", "--client", "{tmp}"), "is no run directory"),
        (
            ("{day}", "--client", "{tmp}", "--since", "1 s"),
            "--since goes with a directory of telemetry, not with --client",
        ),
        (("{day}", "--client", "{tmp}", "--scenario", "x"), "--scenario goes with a directory of telemetry"),
        (("{day}", "--targets", "{tmp}/no.toml"), "cannot read the targets"),
        (("{day}", "--baseline", "{tmp}"), "is no run directory"),
        (("--legacy", "{tmp}/no.csv"), "cannot be read"),
        (("--legacy",), "name the files"),
        (("--legacy", "{tmp}/no.csv", "--since", "1 s"), "--since goes with a directory of telemetry"),
    ],
)
def test_what_makes_no_sense_is_one_clear_line(
    words: tuple[str, ...], mend: str, day: Path, tmp_path: Path, report: Report
) -> None:
    """Exit code 2, nothing on the output, and the mend."""
    code, output, error = report(*(word.format(day=day, tmp=tmp_path) for word in words))
    assert (code, output) == (2, "")
    assert error.startswith("ailoop-otel: ")
    assert mend in error
    assert error.count("\n") == 1


def test_a_missing_library_is_named_with_its_mend(day: Path, report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra, the error names the command that installs it."""
    monkeypatch.setitem(sys.modules, "rich.console", None)
    code, _, error = report(day)
    assert code == 2
    assert error == "ailoop-otel: this needs rich: pip install 'ailoop-otel[measure]'\n"


def test_ctrl_c_is_clean(day: Path, report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    """No traceback, exit code 130."""

    def interrupt(*arguments: object, **more: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ailoop_otel.measure.commands.report.read", interrupt)
    assert report(day) == (130, "", "")
