"""What `ailoop-otel traces` prints."""

from __future__ import annotations

import json
import re
from datetime import timezone
from pathlib import Path

import pytest

from ailoop_otel import names
from ailoop_otel.settings import UsageError
from ailoop_otel.view import traces
from ailoop_otel.view.options import Filters, TracesOptions
from tests.recorded.locked import lock
from tests.view.conftest import Drawn, console_of, written_on
from tests.view.sample import Sample

EXPECTED = Path(__file__).parent / "expected"
DAY = TracesOptions(directory="telemetry")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The directory is named as a user names it."""
    monkeypatch.chdir(tmp_path)


def _expected(name: str) -> str:
    return (EXPECTED / name).read_text(encoding="utf-8").rstrip("\n")


def _documents(text: str, kind: str) -> list[dict[str, object]]:
    documents = [json.loads(line) for line in text.splitlines()]
    return [document for document in documents if document["kind"] == kind]


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.usefixtures("day")
def test_the_overview_is_as_expected(drawn: Drawn, width: int) -> None:
    """Tables, waterfall and totals at the width of a small and of a wide terminal, and no line beyond it."""
    text = drawn(DAY, width)
    assert re.sub(r", [\d.]+ kB", ", 38 kB", text).rstrip("\n") == _expected(f"overview-{width}.txt")
    assert max(map(len, text.splitlines())) <= width


@pytest.mark.parametrize(("width", "named"), [(109, False), (110, True)])
@pytest.mark.usefixtures("day")
def test_a_slow_exchange_names_its_culprit_where_there_is_room(drawn: Drawn, width: int, *, named: bool) -> None:
    """Without being opened, and without a column where nothing of the kind is known."""
    text = drawn(DAY, width)
    assert ("Mostly" in text) is named
    assert bool(re.search(r"^14:00:30 .* lag +210 ", text, re.MULTILINE)) is named
    assert max(map(len, text.splitlines())) <= width
    assert "Mostly" not in drawn(TracesOptions(directory="telemetry", filters=Filters(outcome="cut")), width)


@pytest.mark.usefixtures("day")
def test_a_small_terminal_keeps_what_matters(drawn: Drawn) -> None:
    """In 62 columns the outcome stays readable; bars, chunks and gaps give way."""
    text = drawn(DAY, 62)
    assert re.search(r"^14:00:21 9b2e7c44 ✗ ai_error · 500 +– +620 ms +dbdefbab$", text, re.MULTILINE)
    assert "○ ended · disconnected" in text
    assert max(map(len, text.splitlines())) <= 62


@pytest.mark.usefixtures("day")
def test_a_terminal_without_signs_gets_plain_ones() -> None:
    """The tables stand as straight in ASCII."""
    console = console_of(80, encoding="ascii")
    traces.show(DAY, console, zone=timezone.utc)
    text = written_on(console)
    assert "14:00:21|9b2e7c44|x ai_error - 500" in text
    assert "`- ailoop.ai_timeout x" in text
    assert not re.search(r"[^\x00-\x7f]", text)


@pytest.mark.usefixtures("day")
def test_colour_is_for_terminals() -> None:
    """A pipe gets none."""
    console = console_of(80)
    traces.show(DAY, console, zone=timezone.utc)
    assert "\x1b" not in written_on(console)


@pytest.mark.usefixtures("day")
def test_errors_leave_out_what_went_well(drawn: Drawn) -> None:
    """No exchange that is ok, no call without error; a hanging exchange is shown."""
    text = drawn(TracesOptions(directory="telemetry", filters=Filters(errors=True)), 120)
    assert "Exchanges  9 " in text
    assert "✓ ok  " not in text
    assert "◌ open" in text
    assert "nosuch" in text
    assert "getAgentStates" not in text


@pytest.mark.usefixtures("day")
def test_one_session_is_shown_alone(drawn: Drawn) -> None:
    """Its exchanges, its timeouts, its calls."""
    text = drawn(TracesOptions(directory="telemetry", filters=Filters(session="9b2e"), waterfalls=0))
    assert "9b2e7c44" in text
    assert "f47ac10b" not in text
    assert "Worst exchange" not in text


@pytest.mark.usefixtures("day")
def test_nothing_that_matches_is_said(drawn: Drawn) -> None:
    """An empty table would leave one guessing."""
    assert "No exchange matches." in drawn(TracesOptions(directory="telemetry", filters=Filters(session="nobody")))


def test_the_slowest_is_drawn_where_all_went_well(drawn: Drawn, sample: Sample) -> None:
    """And as many as are asked for, in order of time; a second day makes times name it."""
    sample.exchange("s-1", 0, 2)
    sample.exchange("s-1", 5, 9)
    sample.exchange("s-1", 90_000, 4)
    text = drawn(TracesOptions(directory="telemetry", waterfalls=2), 80)
    assert "Slowest exchanges" in text
    headings = re.findall(r"^\d\d-\d\d [\d:]+ · ✓ ok · ([\d.]+ s)", text, re.MULTILINE)
    assert headings == ["9.00 s", "4.00 s"]
    assert max(map(len, text.splitlines())) <= 80


def test_the_worst_is_what_the_ai_or_the_server_did(drawn: Drawn, sample: Sample) -> None:
    """A client that left after a long time is worth less of a look than a silence that ended well."""
    sample.exchange("s-1", 0, 50)
    sample.exchange("s-1", 60, 40, "disconnected")
    sample.exchange("s-1", 120, 35, timeout="first_chunk", first_chunk=32, recovered=True)
    text = drawn(TracesOptions(directory="telemetry"))
    assert re.search(r"Worst exchange .*\n\n14:02:00 · ✓ ok · recovered · 35\.0 s", text)
    assert "14:01:00 · ⇥ disconnected" in drawn(TracesOptions("telemetry", Filters(outcome="disconnected")))


@pytest.mark.usefixtures("day")
def test_a_trace_is_drawn_by_the_beginning_of_its_id(drawn: Drawn) -> None:
    """Only the waterfall, with the hint that its end has not come."""
    open_one = _documents(drawn(TracesOptions("telemetry", Filters(outcome="open"), json=True)), "exchange")[0]
    text = drawn(TracesOptions(directory="telemetry", trace=str(open_one["trace_id"])[:6].upper()))
    assert text.splitlines()[0] == "14:03:20 · ◌ open · silent · 30.0 s · session 1c9d0a3e"
    assert "it is still running, or its server was killed" in text
    assert "invoke_agent a" in text
    assert "Sessions" not in text


@pytest.mark.usefixtures("day")
@pytest.mark.parametrize(
    ("trace", "remedy"),
    [
        ("3", "several traces begin with 3: give more of one of 310d70c35dd3ecf5, "),
        ("eeee", "no trace in telemetry begins with eeee: leave --trace out"),
        ("trace-1", "takes the first hexadecimal digits"),
        (" ", "takes the first hexadecimal digits"),
    ],
)
def test_a_trace_that_is_not_one_is_refused(drawn: Drawn, trace: str, remedy: str) -> None:
    """With one line that names the remedy."""
    with pytest.raises(UsageError, match=remedy):
        drawn(TracesOptions(directory="telemetry", trace=trace))


def test_many_traces_of_one_beginning_are_not_all_named(drawn: Drawn, sample: Sample) -> None:
    """Five are enough."""
    for number in range(200):
        sample.call("echo", number, 0.001)
    with pytest.raises(UsageError, match=r"(, [0-9a-f]{16}){4} …$"):
        drawn(TracesOptions(directory="telemetry", trace="a"))
    text = drawn(DAY)
    assert "Exchanges    0\n" in text
    assert "First chunk" not in text


def test_a_session_is_a_trace_as_well(drawn: Drawn, sample: Sample) -> None:
    """It has no exchange to head it."""
    start = sample.session("s-1", 0)
    sample.session_end(start, "s-1", 0, 9, "stopped", 2, 0)
    text = drawn(TracesOptions(directory="telemetry", trace=f"{start.get_span_context().trace_id:032x}"), 80)
    assert text.startswith("trace ")
    assert "└─ ailoop.session" in text


def test_an_empty_or_missing_directory_says_what_to_do(drawn: Drawn, tmp_path: Path) -> None:
    """One line that names the variable and the argument."""
    (tmp_path / "empty").mkdir()
    for directory in ("empty", "missing"):
        with pytest.raises(
            UsageError, match=f"no telemetry in {directory}: start the server with AILOOP_OTEL_ENABLED=true"
        ):
            drawn(TracesOptions(directory=directory))


def test_a_directory_of_something_else_says_so(drawn: Drawn, tmp_path: Path) -> None:
    """JSON Lines of another program are not passed off as silence."""
    (tmp_path / "notes.jsonl").write_text('{"note": 1}\n')
    with pytest.raises(UsageError, match=r"nothing in \. is OTLP JSON, the first such line in notes\.jsonl, line 1"):
        drawn(TracesOptions(directory="."))
    (tmp_path / "notes.jsonl").write_text("")
    with pytest.raises(UsageError, match=r"no telemetry in \."):
        drawn(TracesOptions(directory="."))


def test_files_of_another_user_are_said_to_be_so(drawn: Drawn, sample: Sample, monkeypatch: pytest.MonkeyPatch) -> None:
    """One such file costs a line, nothing but such files is refused, and so is such a directory."""
    sample.exchange("s-1", 0, 1)
    lock(monkeypatch, lambda path: path.suffix == ".jsonl" and path.name != sample.path.name)
    (sample.directory / "a.jsonl").touch()
    assert "could not be read: a.jsonl (Permission denied)" in drawn(DAY)
    sample.path.unlink()
    with pytest.raises(UsageError, match=r"nothing in telemetry can be read: a\.jsonl \(Permission denied\)"):
        drawn(DAY)
    monkeypatch.setattr("os.access", lambda path, mode: False)
    with pytest.raises(UsageError, match="telemetry may not be read: run this as the user who runs the server"):
        drawn(DAY)


def test_a_server_that_nobody_talked_to_yet_is_no_error(drawn: Drawn, sample: Sample) -> None:
    """There is telemetry, and no exchange."""
    sample.server(0)
    sample.server(9, stop=True)
    text = drawn(TracesOptions(directory="telemetry"))
    assert "No exchange yet." in text
    assert "1 server start, 1 stop\n" in text


def test_what_could_not_be_read_is_reported_in_a_line(drawn: Drawn, sample: Sample) -> None:
    """Half a last line and garbage in the middle, each once."""
    sample.exchange("s-1", 0, 1, first_chunk=None)
    sample.close()
    with sample.path.open("ab") as file:
        file.write(b'garbage\n{"resourceSpans":[{"scopeSp')
    warnings = drawn(TracesOptions(directory="telemetry")).splitlines()[-3:]
    assert "1 last line half-written and ignored" in " ".join(warnings)
    assert "1 line could not be read and was skipped" in " ".join(warnings)


@pytest.mark.usefixtures("day")
def test_scripts_get_the_same_as_json(drawn: Drawn) -> None:
    """One object a line, each with its kind, durations in seconds."""
    text = drawn(TracesOptions(directory="telemetry", json=True), 80)
    assert [len(_documents(text, kind)) for kind in ("session", "exchange", "timeout", "calls", "totals")] == [
        3, 13, 3, 3, 1,
    ]  # fmt: skip
    error = next(row for row in _documents(text, "exchange") if row["outcome"] == "ai_error")
    assert error | {"trace_id": "", "span_id": ""} == {
        "kind": "exchange",
        "trace_id": "",
        "span_id": "",
        "session_id": "9b2e7c44-58cc-4372-a567-0e02b2c3d479",
        "start": "2025-11-22T14:00:21.000000+00:00",
        "end": "2025-11-22T14:00:21.620000+00:00",
        "outcome": "ai_error",
        "server_ended": None,
        "error_type": "500",
        "first_chunk_s": None,
        "duration_s": 0.62,
        "chunks": None,
        "max_gap_s": None,
        "timeouts": 0,
        "recovered": False,
        "mostly": None,
        "agent": None,
        "model": None,
        "input_tokens": None,
        "output_tokens": None,
        "cached_tokens": None,
        "reasoning_tokens": None,
        "cost_usd": None,
        "cost_computed": False,
    }
    assert [row["ending"] for row in _documents(text, "timeout")] == ["ai_timeout", "recovered", "open"]
    totals = _documents(text, "totals")[0]
    assert (totals["open"], totals["sessions"], totals["sessions_ended"]) == (1, 3, 1)


def test_json_has_no_nan(drawn: Drawn, sample: Sample) -> None:
    """Strict readers refuse it."""
    trace = sample.span("x", 0, 1, {"a": float("inf"), "b": 1.5, "c": ("d", "e")}).get_span_context().trace_id
    (span,) = _documents(drawn(TracesOptions(directory="telemetry", trace=f"{trace:032x}", json=True)), "span")
    assert span["attributes"] == {"a": "inf", "b": 1.5, "c": ["d", "e"]}


def test_reading_much_asks_for_patience(sample: Sample, monkeypatch: pytest.MonkeyPatch, drawn: Drawn) -> None:
    """A terminal shows a notice while it reads; it is not part of the output."""
    sample.exchange("s-1", 0, 1)
    monkeypatch.setattr(traces, "_SLOW_TO_READ", 1)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert "reading" not in drawn(TracesOptions(directory="telemetry"))


def test_a_client_s_trace_finds_the_server_s(tmp_path: Path, drawn: Drawn) -> None:
    """A server that trusts no client only links to it: all of the server's own trace is shown."""
    sample, theirs = Sample(tmp_path / "telemetry"), "c0ffee" + "0" * 26
    root = sample.exchange("one", 1, 2.5, client_trace=theirs)
    sample.close()
    out = drawn(TracesOptions(directory="telemetry", trace="c0ffee"))
    assert f"{root.get_span_context().trace_id:032x}" in out
    assert names.SPAN_FIRST_CHUNK.removeprefix("ailoop.") in out
