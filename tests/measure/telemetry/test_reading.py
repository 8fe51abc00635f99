"""A run from recorded telemetry: the same figures as a load test's, from spans and points in any order."""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from opentelemetry.trace import SpanKind, format_trace_id

from ailoop_otel import names
from ailoop_otel.measure import Refusal
from ailoop_otel.measure.report.contents import build_report
from ailoop_otel.measure.results import definitions
from ailoop_otel.measure.results.definitions import DEFINITIONS, Definition
from ailoop_otel.measure.results.run import Run
from ailoop_otel.measure.statistics.percentiles import summarise
from ailoop_otel.measure.telemetry import exchanges as served
from ailoop_otel.measure.telemetry.reading import is_command, read, run_from
from tests.view.sample import BEGIN, Sample, a_day

MEGABYTE = 1_000_000


@pytest.fixture
def sample(tmp_path: Path) -> Iterator[Sample]:
    """A server process that writes files."""
    writer = Sample(tmp_path / "telemetry")
    yield writer
    writer.close()


def _run(place: Path) -> Run:
    return run_from(read(place))


def _values(run: Run, definition: Definition) -> list[float]:
    return [row.value for row in run.of(definition)]


def _point(metric: str, at: float, value: float, labels: Mapping[str, str] | None = None) -> dict[str, object]:
    attributes = [{"key": key, "value": {"stringValue": text}} for key, text in (labels or {}).items()]
    time = str(round((BEGIN + at) * 1e9))
    return {
        "name": metric,
        "sum": {"dataPoints": [{"timeUnixNano": time, "asDouble": value, "attributes": attributes}]},
    }


def _write(directory: Path, *metrics: dict[str, object], process: str = "one") -> None:
    """A metrics file of one process."""
    directory.mkdir(exist_ok=True)
    resource = {"attributes": [{"key": "service.instance.id", "value": {"stringValue": process}}]}
    lines = [
        json.dumps({"resourceMetrics": [{"resource": resource, "scopeMetrics": [{"metrics": [metric]}]}]}) + "\n"
        for metric in metrics
    ]
    (directory / f"metrics-{process}.jsonl").write_text("".join(lines))


def test_a_message_is_measured_by_the_products_definitions(sample: Sample) -> None:
    """First chunk, completion and longest gap of an exchange, with its trace, its session and its moment."""
    sample.exchange("one", 1, 2.5, first_chunk=0.4, max_gap=0.25)
    root = sample.exchange("two", 4, 1.5, first_chunk=0.3, max_gap=0.125)
    run = _run(sample.directory)
    assert _values(run, definitions.SERVER_FIRST_CHUNK) == [0.4, 0.3]
    assert _values(run, definitions.SERVER_COMPLETION) == [2.5, 1.5]
    assert _values(run, definitions.LONGEST_GAP) == [0.25, 0.125]
    first, second = run.of(definitions.SERVER_COMPLETION)
    assert (first.at, second.at) == (0.0, 3.0)
    assert second.trace_id == format_trace_id(root.get_span_context().trace_id)
    assert (first.session, second.session, second.exchange) == (0, 1, 1)
    assert run.context.source == "telemetry"


def test_no_figure_of_a_client_is_made_up(tmp_path: Path) -> None:
    """A server cannot know what its client waited: units and names are the server's, whatever happened."""
    a_day(tmp_path)
    run = _run(tmp_path)
    names_seen = {metric.name for metric in run.metrics()}
    assert not names_seen & {"first_chunk", "completion", "acknowledgement", "ai_timeout_told", "session_start"}
    assert all(row.unit == DEFINITIONS[row.metric].unit for row in run.observations)


def test_failures_keep_their_kind(tmp_path: Path) -> None:
    """Each outcome is in the rows, and a message without a chunk has none."""
    a_day(tmp_path)
    rows = list(_run(tmp_path).of(definitions.SERVER_FIRST_CHUNK))
    assert sorted({row.outcome for row in rows}) == [
        "ai_error", "ai_timeout", "cancelled", "cut", "disconnected", "no_answer", "ok", "protocol_error",
        "server_error",
    ]  # fmt: skip
    assert all(math.isnan(row.value) for row in rows if row.outcome in ("ai_error", "no_answer", "server_error"))


def test_the_rates_count_what_hangs_as_failed(tmp_path: Path) -> None:
    """Nine of thirteen failed, one of them without an end; four answers count over all the time."""
    a_day(tmp_path)
    run = _run(tmp_path)
    assert _values(run, definitions.ERROR_RATE) == [pytest.approx(1000 * 9 / 13)]
    good = [row for row in run.of(definitions.SERVER_COMPLETION) if row.outcome == "ok"]
    assert _values(run, definitions.RATE) == [pytest.approx(len(good) / run.context.duration)]
    (hanging,) = (row for row in run.of(definitions.SERVER_COMPLETION) if math.isnan(row.value))
    assert hanging.outcome == "ai_timeout"
    assert any(note.startswith("1 exchanges had an AI timeout and no end") for note in run.context.notes)


def test_one_answer_is_not_divided_by_its_own_time(sample: Sample) -> None:
    """Of seven messages in 20 s one succeeded, in 29 ms: that is one in 20 s, not 34 a second."""
    for number in range(6):
        sample.exchange("one", 3 * number, 0.01, "ai_error", first_chunk=None)
    sample.exchange("one", 19.971, 0.029, first_chunk=0.01)
    assert _values(_run(sample.directory), definitions.RATE) == [pytest.approx(1 / 20)]


def test_an_ai_timeout_is_timed_until_it_was_detected_and_reported(sample: Sample) -> None:
    """From the message to the notice, from the deadline to the notice, from the notice to the client's frame."""
    sample.exchange("one", 0, 31.0, "ai_timeout", timeout="first_chunk", first_chunk=None)
    run = _run(sample.directory)
    (detected,), (delay,), (report,) = (
        list(run.of(definition))
        for definition in (definitions.TIMEOUT_DETECTED, definitions.DETECTION_DELAY, definitions.REPORT_DELAY)
    )
    assert detected.value == pytest.approx(30.0021)
    assert delay.value == 0.0021
    assert report.value == pytest.approx(31.0 - 30.0021)
    assert (detected.label, detected.outcome) == ("first_chunk", "ai_timeout")
    assert summarise(run, definitions.TIMEOUT_DETECTED).n == 1


@pytest.mark.parametrize(("outcome", "recovered"), [("ok", True), ("disconnected", False), ("cancelled", False)])
def test_an_unreported_timeout(sample: Sample, outcome: str, recovered: bool) -> None:
    """A timeout after which the answer came, or whose client had left, was not reported."""
    sample.exchange("one", 0, 33.0, outcome, timeout="first_chunk", first_chunk=32.0, recovered=recovered)
    run = _run(sample.directory)
    assert _values(run, definitions.TIMEOUT_DETECTED) == [pytest.approx(30.0021)]
    assert _values(run, definitions.REPORT_DELAY) == []


def test_a_stall_is_timed_from_the_message(sample: Sample) -> None:
    """Its span begins at the last chunk; the time until detected begins at the message."""
    sample.exchange("one", 0, 42.0, "ai_timeout", timeout="stall", first_chunk=0.5)
    assert _values(_run(sample.directory), definitions.TIMEOUT_DETECTED) == [pytest.approx(42 - 30 - 1 + 30.0021)]


def test_a_stall_that_hangs_is_timed_from_the_message(sample: Sample) -> None:
    """The server was killed before the exchange ended: its first chunk gives the time of the message."""
    sample.exchange("one", 0, 42.0, timeout="stall", first_chunk=0.5, finished=False)
    assert _values(_run(sample.directory), definitions.TIMEOUT_DETECTED) == [pytest.approx(42 - 30 - 1 + 30.0021)]


def test_spans_may_come_in_any_order(tmp_path: Path) -> None:
    """The last line first gives the same run, in order of time."""
    one, two = tmp_path / "one", tmp_path / "two"
    a_day(one)
    two.mkdir()
    lines = [line for path in sorted(one.glob("traces*")) for line in path.read_bytes().splitlines(keepends=True)]
    (two / "traces.jsonl").write_bytes(b"".join(reversed(lines)))
    run = _run(one)
    assert repr(_run(two).observations) == repr(run.observations)
    assert list(run.observations) == sorted(run.observations, key=lambda row: row.at)


def test_sessions_tell_how_long_and_how_many_turns(sample: Sample) -> None:
    """A session that ended has both; one that goes on has neither."""
    start = sample.session("one", 0)
    sample.session_end(start, "one", 0, 90.0, "stopped", 4, 0)
    sample.session("two", 5)
    run = _run(sample.directory)
    assert _values(run, definitions.SESSION_DURATION) == [90.0]
    assert _values(run, definitions.SESSION_TURNS) == [4]


def test_memory_cpu_and_sessions_come_from_the_points(tmp_path: Path) -> None:
    """Bytes as bytes, sessions as sessions; CPU is what was used between two exports, of both modes."""
    mode = names.METRIC_CPU_TIME.labels[0]
    cpu = [
        _point("process.cpu.time", at, seconds, {mode: kind})
        for at, kind, seconds in [(0, "user", 1.0), (0, "system", 0.5), (10, "user", 5.0), (10, "system", 1.5)]
    ]
    _write(tmp_path, _point("process.memory.usage", 0, 84e6), _point("ailoop.session.active", 0, 3), *cpu)
    run = _run(tmp_path)
    assert {(row.metric, row.value, row.unit, row.at) for row in run.observations} == {
        ("server_memory", 84e6, "By", 0.0),
        ("concurrent_sessions", 3.0, "{session}", 0.0),
        ("server_cpu", 0.5, "1", 10.0),
    }


def test_sessions_are_counted_by_their_spans(sample: Sample) -> None:
    """Of a recording too short for a second export; who has not ended is connected still."""
    for number in range(7):
        start = sample.session(f"s{number}", number)
        if number < 3:
            sample.session_end(start, f"s{number}", number, 10.0, "stopped", 1, 0)
    _write(sample.directory, _point("ailoop.session.active", 0, 0))
    run = _run(sample.directory)
    assert [(row.at, row.value) for row in run.of(definitions.SESSIONS)] == [
        (0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 6), (6, 7), (10, 6), (11, 5), (12, 4),
    ]  # fmt: skip
    assert summarise(run, definitions.SESSIONS).max == 7


def test_growth_and_memory_per_session_are_slopes(sample: Sample) -> None:
    """Two megabytes a session, a session a second; the server's start counts for little."""
    for second in range(100):
        sample.session(f"s{second}", second)
    memory = [_point("process.memory.usage", at + 0.5, (0 if at < 5 else 50 + 2 * at) * MEGABYTE) for at in range(100)]
    _write(sample.directory, *memory)
    run = _run(sample.directory)
    assert _values(run, definitions.MEMORY_GROWTH) == [pytest.approx(2 * MEGABYTE, rel=0.01)]
    assert _values(run, definitions.MEMORY_PER_SESSION) == [pytest.approx(2 * MEGABYTE, rel=0.01)]


def test_processes_are_not_mixed(tmp_path: Path) -> None:
    """Two processes have labels, and no slope across them."""
    for process in ("first-of-them", "second-of-them"):
        points = [_point("process.memory.usage", at, 1e6 * at) for at in range(20)]
        _write(tmp_path, *points, process=process)
    run = _run(tmp_path)
    assert {row.label for row in run.of(definitions.MEMORY)} == {"first-of", "second-o"}
    assert {metric.name for metric in run.metrics()} == {"server_memory"}
    assert any("2 server processes" in note for note in run.context.notes)


def test_untraced_exchanges_are_noted(sample: Sample) -> None:
    """Where the server's metrics counted more than was traced, rates are of a part; commands are in neither."""
    sample.exchange("one", 0, 1)
    sample.exchange("one", 2, 0.1, first_chunk=None)
    counted = {"name": names.METRIC_EXCHANGE_DURATION.name}
    points = [{"timeUnixNano": str((BEGIN + at) * 10**9), "count": str(count)} for at, count in ((1, 4), (2, 10))]
    _write(sample.directory, {**counted, "histogram": {"dataPoints": points}})
    notes = _run(sample.directory).context.notes
    assert any(note.startswith("The server counted 10 exchanges, and 1 are traced") for note in notes)


def test_failures_of_sessions_that_are_not_sampled_are_noted(sample: Sample) -> None:
    """They are no fair share of all, so that rates and percentiles are worse than the server's."""
    sample.exchange("one", 0, 1)
    sample.exchange("two", 2, 1, "ai_error", used={names.SAMPLING_REASON: "failure"})
    notes = _run(sample.directory).context.notes
    assert [note for note in notes if note.startswith("1 exchanges of sessions that were not sampled")]


def test_files_twice_count_once(sample: Sample) -> None:
    """A copy of a file, or the same export twice, changes nothing."""
    sample.exchange("one", 0, 31.0, "ai_timeout", timeout="first_chunk", first_chunk=None)
    start = sample.session("one", 0)
    sample.session_end(start, "one", 0, 90.0, "stopped", 4, 0)
    once = _run(sample.directory)
    (sample.directory / "traces-copy.jsonl").write_bytes(sample.path.read_bytes())
    assert _run(sample.directory).observations == once.observations


def test_rotation_in_mid_exchange_changes_nothing(tmp_path: Path) -> None:
    """A timeout is exported in one file, its exchange's end in the next."""
    one, two = Sample(tmp_path / "one"), Sample(tmp_path / "two")
    one.exchange("a", 0, 31.0, "ai_timeout", timeout="first_chunk", first_chunk=None)
    two.exchange("a", 0, 31.0, "ai_timeout", timeout="first_chunk", first_chunk=None)
    one.close()
    two.close()
    lines = two.path.read_bytes().splitlines(keepends=True)
    assert len(lines) > 1
    two.path.write_bytes(lines[0])
    (two.directory / "traces-20251122T140001-101-2.jsonl").write_bytes(b"".join(lines[1:]))
    assert _run(two.directory).observations == _run(one.directory).observations


def test_a_torn_line_is_told_and_the_rest_counts(sample: Sample) -> None:
    """A run of a server that was killed in the middle of a line has a note about it."""
    sample.exchange("one", 0, 1)
    with sample.path.open("ab") as file:
        file.write(b'{"resourceSpans":[{"scopeSpa\n{"resourceSpans":')
    run = _run(sample.directory)
    assert len(_values(run, definitions.SERVER_COMPLETION)) == 1
    assert any("could not be read were skipped: 1" in note for note in run.context.notes)
    assert any("Half-written last lines" in note for note in run.context.notes)


def test_memory_is_bounded(sample: Sample, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of too many the newest are kept, and a note reports it."""
    monkeypatch.setattr(served, "MOST", 5)
    for second in range(20):
        sample.exchange("one", second, 0.5)
    reading = read(sample.directory)
    assert len(reading.telemetry.exchanges) == 5
    run = run_from(reading)
    assert [row.at for row in run.of(definitions.SERVER_COMPLETION)] == [0, 1, 2, 3, 4]
    assert any("15 were left out" in note for note in run.context.notes)


def test_since_leaves_out_what_is_older(sample: Sample) -> None:
    """Only what ended later counts."""
    sample.exchange("one", 0, 1)
    sample.exchange("one", 100, 2)
    reading = read(sample.directory, since=(BEGIN + 50) * 10**9)
    assert _values(run_from(reading), definitions.SERVER_COMPLETION) == [2.0]


def test_progress_adds_up_to_the_files(tmp_path: Path) -> None:
    """The progress of reading is reported line by line; a compressed file holds more than its size."""
    a_day(tmp_path)
    (path,) = tmp_path.glob("traces-*-2.jsonl")
    path.with_suffix(".jsonl.gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    seen: list[int] = []
    read(tmp_path, progress=seen.append)
    assert sum(seen) == sum(path.stat().st_size for path in tmp_path.iterdir())
    assert len(seen) > 2 * len(list(tmp_path.iterdir()))


@pytest.mark.parametrize(
    ("content", "expected"),
    [(None, "is not there"), ("", "no telemetry in"), ("{}\n", "no message, session or memory")],
)
def test_a_directory_without_telemetry_is_refused(tmp_path: Path, content: str | None, expected: str) -> None:
    """One line that names the directory and the mend."""
    place = tmp_path / "telemetry"
    if content is not None:
        place.mkdir()
    if content:
        (place / "x.jsonl").write_text(content)
    with pytest.raises(Refusal, match=expected):
        read(place)


def test_nothing_new_enough_is_refused(sample: Sample) -> None:
    """The mend is to ask for more."""
    sample.exchange("one", 0, 1)
    with pytest.raises(Refusal, match="leave --since out"):
        read(sample.directory, since=(BEGIN + 50) * 10**9)


def test_spans_that_end_before_they_start_make_no_figure(tmp_path: Path) -> None:
    """They are left out and counted; where there are no others, that is why nothing is reported."""
    span = {"traceId": "ab" * 16, "spanId": "cd" * 8, "name": "sendUserMessage", "kind": 2,
            "attributes": [{"key": names.OUTCOME, "value": {"stringValue": "ok"}}]}  # fmt: skip
    times = {"startTimeUnixNano": str(3 * 10**18), "endTimeUnixNano": str(2 * 10**18)}
    good = {"startTimeUnixNano": str(10**18), "endTimeUnixNano": str(10**18 + 5 * 10**8), "spanId": "01" * 8}
    path = tmp_path / "traces-1.jsonl"

    def write(*spans: dict[str, object]) -> None:
        path.write_text(json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}) + "\n")

    write({**span, **times})
    with pytest.raises(Refusal, match=r"end before they start \(1 spans\)"):
        read(tmp_path)
    write({**span, **times}, {**span, **good})
    run = run_from(read(tmp_path))
    assert [row.value for row in run.of(definitions.SERVER_COMPLETION)] == []
    assert [row.value for row in run.of(definitions.SERVER_COMMAND)] == [0.5]
    assert all(row.value >= 0 for row in run.observations)
    assert "Spans that end before they start were left out: 1." in run.context.notes


def test_slash_commands_are_in_no_rate(sample: Sample) -> None:
    """A load test has them in none either: of two answers one failed, and the command is neither."""
    sample.exchange("one", 0, 4.0)
    sample.exchange("one", 2, 0.1, first_chunk=None)
    sample.exchange("one", 3, 1.0, outcome="ai_error")
    run = _run(sample.directory)
    assert _values(run, definitions.ERROR_RATE) == [500.0]
    assert _values(run, definitions.RATE) == [1 / 4.0]
    assert len(_values(run, definitions.SERVER_COMMAND)) == 1


def test_an_answer_whose_frames_were_not_read_is_no_command(sample: Sample) -> None:
    """It has no first chunk that is known, as in a client's report, and a completion."""
    sample.exchange("one", 0, 4.0, first_chunk=None)
    reading = read(sample.directory)
    (exchange,) = reading.telemetry.exchanges.values()
    assert is_command(exchange)
    exchange.unread = True
    run = run_from(reading)
    assert _values(run, definitions.SERVER_COMPLETION) == [4.0]
    assert all(map(math.isnan, _values(run, definitions.SERVER_FIRST_CHUNK)))
    assert _values(run, definitions.SERVER_COMMAND) == []


def test_tokens_and_cost_are_told_where_the_telemetry_has_them(sample: Sample) -> None:
    """Of each exchange, with the time of a token; a cost that the user's prices gave is marked as computed."""
    used = {names.USAGE_INPUT: 1200, names.USAGE_CACHE_READ: 900, names.USAGE_OUTPUT: 40, names.USAGE_REASONING: 10,
            names.COST: 0.0125, names.COST_SOURCE: names.COMPUTED}  # fmt: skip
    attributes = {names.OUTCOME: "ok", names.TIME_TO_FIRST_CHUNK: 1.0, **used}
    sample.span("sendUserMessage", 0, 3.0, attributes, kind=SpanKind.SERVER)
    sample.exchange("one", 5, 1.0)
    run = _run(sample.directory)
    found = {
        each.name: _values(run, each)
        for each in (definitions.INPUT_TOKENS, definitions.CACHED_TOKENS, definitions.OUTPUT_TOKENS,
                     definitions.REASONING_TOKENS, definitions.COST_COMPUTED)
    }  # fmt: skip
    assert list(found.values()) == [[1200], [900], [40], [10], [0.0125]]
    assert _values(run, definitions.TOKEN_PACE) == [pytest.approx(2.0 / 40)]
    (cost,) = (row for row in build_report(run).rows if row.definition is definitions.COST_COMPUTED)
    assert (cost.title, cost.scale.quantity(cost.summary.p50)) == ("Cost, computed", "0.0125 USD")
