"""What of the telemetry is shown, and where it is written: filters, folds, log events, files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from opentelemetry._logs import LogRecord
from opentelemetry.exporter.otlp.json.file._log_exporter import FileLogExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.trace import Span, set_span_in_context

from ailoop_otel import cli, names
from tests.view.sample import BEGIN, Sample

NS = 1_000_000_000


def _shown(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert cli.main(["traces", *words]) == 0
    return capsys.readouterr().out


def _exchanges(capsys: pytest.CaptureFixture[str], *words: str) -> list[float]:
    rows = [json.loads(line) for line in _shown(capsys, *words, "--json").splitlines()]
    return [row["duration_s"] for row in rows if row["kind"] == "exchange"]


def _event(directory: Path, name: str, at: float, span: Span) -> None:
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(FileLogExporter(directory / "logs-1.jsonl")))
    time = BEGIN * NS + int(at * NS)
    record = LogRecord(timestamp=time, event_name=name, context=set_span_in_context(span), attributes={"mail.count": 2})
    provider.get_logger(names.SCOPE).emit(record)
    provider.shutdown()


@pytest.fixture
def trace(sample: Sample) -> tuple[str, str]:
    """A directory with one trace that has a log event, and the trace's id."""
    root = sample.exchange("s-1", 0, 2.0, inside=True)
    sample.close()
    _event(sample.directory, names.EVENT_AGENT_SWITCH, 1.0, root)
    return str(sample.directory), f"{root.get_span_context().trace_id:032x}"


def test_log_events_stand_in_their_place(trace: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    """Below their span, in order of time, with a sign in place of a bar and no duration."""
    lines = _shown(capsys, trace[0], "--trace", trace[1]).splitlines()
    (line,) = [line for line in lines if names.EVENT_AGENT_SWITCH in line]
    assert line.count("◆") == 1
    assert " ms" not in line
    rows = [json.loads(row) for row in _shown(capsys, trace[0], "--trace", trace[1], "--json").splitlines()]
    (event,) = [row for row in rows if row["kind"] == "event"]
    assert (event["name"], event["attributes"]) == (names.EVENT_AGENT_SWITCH, {"mail.count": 2})


def test_a_long_trace_is_folded(trace: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    """What lies below a depth is counted where it is left out."""
    page = _shown(capsys, trace[0], "--trace", trace[1], "--depth", "1")
    assert "invoke_agent a +3 " in page
    assert "chat" not in page
    only = _shown(capsys, trace[0], "--trace", trace[1], "--only", "chat")
    assert "chat" in only
    assert "invoke_agent" not in only


def test_exchanges_are_filtered_by_maker_duration_and_end(sample: Sample, capsys: pytest.CaptureFixture[str]) -> None:
    """By agent, part of the model's name, the least duration, and the latest begin."""
    sample.exchange("s-1", 0, 1.0, inside=True)
    sample.exchange("s-1", 10, 3.0, inside=True)
    sample.exchange("s-1", 20, 5.0)
    sample.close()
    place = str(sample.directory)
    assert _exchanges(capsys, place, "--min-duration", "2") == [3.0, 5.0]
    assert _exchanges(capsys, place, "--model", "gpt-4o") == [1.0, 3.0]
    assert _exchanges(capsys, place, "--model", "gpt-4o", "--min-duration", "2") == [3.0]
    assert _exchanges(capsys, place, "--agent", "nobody") == []
    assert _exchanges(capsys, place, "--until", "2025-11-22T14:00:15Z") == [1.0, 3.0]


def test_errors_as_json_are_those_of_the_tables(sample: Sample, capsys: pytest.CaptureFixture[str]) -> None:
    """A call without an error is in neither."""
    sample.exchange("s-1", 0, 1.0, outcome="ai_error")
    sample.call("echo", 2, 0.1)
    sample.call("agent.list", 3, 0.1, error=True)
    sample.close()
    rows = [json.loads(line) for line in _shown(capsys, str(sample.directory), "--errors", "--json").splitlines()]
    assert [row["method"] for row in rows if row["kind"] == "calls"] == ["agent.list"]
    rows = [json.loads(row) for row in _shown(capsys, str(sample.directory), "--outcome", "ok", "--json").splitlines()]
    assert {row["kind"] for row in rows} == {"totals"}


def test_what_is_shown_is_written_as_a_file(trace: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    """Self-contained: nothing in it is loaded from elsewhere."""
    page, picture = Path(trace[0], "page.html"), Path(trace[0], "page.svg")
    shown = _shown(capsys, trace[0], "--html", str(page), "--svg", str(picture))
    assert "AILoop telemetry" in shown
    for file in (page, picture):
        text = file.read_text(encoding="utf-8").replace("\u00a0", " ").replace("&#160;", " ")
        assert "AILoop telemetry" in text
        assert not any(word in text for word in ("url(http", "src=", 'href="http', "@import", "<script"))
    assert cli.main(["traces", trace[0], "--html", f"{trace[0]}/no/page.html"]) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_the_directory_of_the_servers_env_file_is_read(
    trace: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As the server does; a variable of the environment wins."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(names.SETTING_DIRECTORY.name, raising=False)
    Path(".env").write_text(f"{names.SETTING_DIRECTORY.name}={trace[0]}\n")
    assert "AILoop telemetry" in _shown(capsys)
    monkeypatch.setenv(names.SETTING_DIRECTORY.name, str(tmp_path / "other"))
    assert cli.main(["traces"]) == 2


def test_spans_that_go_elsewhere_are_said_to(
    sample: Sample, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """After a switch to a collector: without its password."""
    monkeypatch.chdir(tmp_path)
    sample.exchange("s-1", 0, 1.0)
    sample.close()
    Path(".env").write_text("OTEL_EXPORTER_OTLP_ENDPOINT=http://user:secret@127.0.0.1:4318\n")
    page = " ".join(_shown(capsys, str(sample.directory), "--since", "1h").split())
    assert "http://127.0.0.1:4318: spans go there now" in page
    assert "secret" not in page
    assert cli.main(["traces", str(tmp_path / "none")]) == 2
    assert "spans go there now" in capsys.readouterr().err


@pytest.mark.parametrize("outcome", ["lost", "server_ended"])
def test_what_was_lost_is_asked_for_by_either_word(
    sample: Sample, outcome: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """By that of the tables, and by that of JSON; what ended by itself, or goes on, is none of it."""
    sample.exchange("s-1", 0, 1.0)
    sample.exchange("s-1", 10, 2.0, timeout="first_chunk", deadline=1, first_chunk=None, finished=False)
    sample.server(20, stop=True)
    sample.exchange("s-2", 30, 3.0, finished=False)
    assert _exchanges(capsys, str(sample.directory), "--outcome", outcome) == [pytest.approx(1.0, abs=0.01)]
    shown = _shown(capsys, str(sample.directory), "--outcome", outcome, "--waterfall", "0")
    assert "Exchanges  1 " in shown
    assert "AI timeouts  1\n" in shown
