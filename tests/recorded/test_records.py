"""Reading one line, whatever it holds."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from ailoop_otel import names
from ailoop_otel.recorded.records import Batch, Span, parse, rescue
from tests.view.sample import BEGIN, Sample

JSON = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(), inner, max_size=3),
    max_leaves=12,
)
KEYS = some.sampled_from(
    [
        "resourceSpans", "scopeSpans", "spans", "resourceLogs", "scopeLogs", "logRecords", "scope", "name", "traceId",
        "spanId", "parentSpanId", "startTimeUnixNano", "endTimeUnixNano", "timeUnixNano", "eventName", "kind", "status",
        "code", "attributes", "key", "value", "stringValue", "intValue", "doubleValue", "boolValue", "arrayValue",
        "values", "links",
    ]
)  # fmt: skip
ALMOST = some.recursive(
    JSON,
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(KEYS, inner, max_size=6),
    max_leaves=30,
)


def _line(*, attributes: object = None, **changes: object) -> bytes:
    span = {
        "traceId": "ab" * 16,
        "spanId": "cd" * 8,
        "name": "echo",
        "kind": 2,
        "startTimeUnixNano": "1000",
        "endTimeUnixNano": "3000",
        "attributes": attributes or [],
        **changes,
    }
    scope = {"scope": {"name": "somebody"}, "spans": [span]}
    return json.dumps({"resourceSpans": [{"scopeSpans": [scope]}]}).encode() + b"\n"


def _only(line: bytes) -> Span:
    batch = parse(line)
    assert batch is not None
    assert len(batch.spans) == 1
    return batch.spans[0]


def test_a_real_span_is_read_with_all_it_has(sample: Sample) -> None:
    """What the SDK's exporter wrote comes back: ids, times, kind, status, attributes, links."""
    start = sample.session("s-1", 0)
    sample.exchange("s-1", 1.5, 0.25, "ai_error", session=start, first_chunk=None, error_type="500")
    span = _only(sample.path.read_bytes().splitlines(keepends=True)[-1])
    assert span.name == "sendUserMessage"
    assert (span.start, span.seconds) == ((BEGIN * 10 + 15) * 10**8, 0.25)
    assert (span.server, span.error, span.parent_id, span.scope) == (True, True, "", names.SCOPE)
    assert span.text(names.ERROR_TYPE) == "500"
    assert span.number(names.MESSAGE_SIZE) == 184
    assert list(span.links) == [f"{start.get_span_context().span_id:016x}"]


def test_each_kind_of_value_is_read() -> None:
    """Texts, 64-bit numbers as text, doubles, NaN as text, flags and arrays become Python values."""
    values = [
        ("text", {"stringValue": "a"}, "a"),
        ("whole", {"intValue": "9007199254740993"}, 9007199254740993),
        ("number", {"doubleValue": 1.5}, 1.5),
        ("flag", {"boolValue": False}, False),
        ("array", {"arrayValue": {"values": [{"stringValue": "a"}, {"intValue": "1"}]}}, ("a", 1)),
    ]
    span = _only(_line(attributes=[{"key": key, "value": value} for key, value, _ in values]))
    assert span.attributes == {key: expected for key, _, expected in values}
    nan = _only(_line(attributes=[{"key": "nan", "value": {"doubleValue": "NaN"}}]))
    assert nan.number("nan") is None


@pytest.mark.parametrize(
    "value",
    [
        {},
        None,
        5,
        {"intValue": "many"},
        {"doubleValue": True},
        {"doubleValue": "much"},
        {"boolValue": "yes"},
        {"bytesValue": "AA=="},
    ],
)
def test_a_value_that_makes_no_sense_is_left_out(value: object) -> None:
    """One broken attribute costs that attribute and nothing else."""
    broken = {"key": "broken", "value": value}
    whole = {"key": "whole", "value": {"intValue": "1"}}
    assert _only(_line(attributes=[broken, whole, None, {"value": {"intValue": "1"}}])).attributes == {"whole": 1}


@pytest.mark.parametrize(
    "change",
    [
        {"traceId": ""},
        {"spanId": 5},
        {"startTimeUnixNano": "soon"},
        {"endTimeUnixNano": None},
        {"startTimeUnixNano": "-4"},
        {"endTimeUnixNano": str(2**63)},
    ],
)
def test_a_span_without_ids_or_times_is_counted_as_damaged(change: dict[str, object]) -> None:
    """A span without a trace id or a time is counted, not shown."""
    assert parse(_line(**change)) == Batch(damaged=1)


@pytest.mark.fault(
    "files",
    theirs="Escape sequences in a recording",
    promise="They never reach the terminal",
)
def test_what_would_disturb_a_terminal_is_replaced() -> None:
    """Escape sequences, line breaks and halves of surrogate pairs never reach the terminal."""
    hostile = "\x1b[2J\nred\ud800"
    span = _only(_line(name=hostile, attributes=[{"key": "k", "value": {"stringValue": hostile}}]))
    assert span.name == span.text("k") == "�[2J�red�"


def test_enumerations_may_be_written_as_names() -> None:
    """The JSON mapping of protobuf allows the names of kinds and codes."""
    span = _only(_line(kind="SPAN_KIND_SERVER", status={"code": "STATUS_CODE_ERROR"}))
    assert span.server
    assert span.error


def test_metrics_are_known_and_not_decoded() -> None:
    """A line of metrics is no failure, even though nothing of it is shown."""
    assert parse(b'{"resourceMetrics":[{}]}\n') == Batch()
    assert parse(b'{ "resourceMetrics": [] }') == Batch()


@pytest.mark.parametrize("line", [b"", b"{", b"[]", b"null", b'{"a":1}', b"\xff\xfe", b"[" * 100_000, b"NaN"])
def test_a_line_that_is_no_telemetry_is_none(line: bytes) -> None:
    """Garbage is recognised as garbage."""
    assert parse(line) is None


@given(some.binary())
def test_no_bytes_can_crash_the_reader(line: bytes) -> None:
    """Whatever a disk gives back, reading it raises nothing."""
    assert isinstance(parse(line), Batch | None)
    assert isinstance(rescue(line), Batch | None)


@pytest.mark.parametrize("outer", ["resourceSpans", "resourceLogs"])
@settings(max_examples=30)
@given(document=ALMOST)
@pytest.mark.fault(
    "files",
    theirs="JSON that is almost OTLP",
    promise="No exception",
)
def test_no_json_can_crash_the_reader(outer: str, document: object) -> None:
    """JSON that is almost OTLP raises nothing either."""
    assert isinstance(parse(json.dumps({outer: document}).encode()), Batch)


@settings(max_examples=30)
@given(document=ALMOST)
def test_no_span_can_crash_what_reads_it(document: dict[str, object]) -> None:
    """A span whose members are anything at all is a span or damaged."""
    nested = {"resourceSpans": [{"scopeSpans": [{"scope": document, "spans": [document, {"status": document}]}]}]}
    batch = parse(json.dumps(nested).encode())
    assert batch is not None
    assert batch.damaged >= 1


@pytest.mark.parametrize("cut", [lambda line: line[: len(line) // 2], lambda line: b'{"resourceSpans":[{"a'])
def test_a_whole_line_behind_a_torn_one_is_found(cut: Callable[[bytes], bytes]) -> None:
    """Two writers in one file, the first killed in mid-line: what the second wrote is not lost."""
    whole = _line(name="second")
    batch = rescue(cut(_line(name="first")) + whole)
    assert batch is not None
    assert [span.name for span in batch.spans] == ["second"]


@pytest.mark.parametrize(
    "piece", [b'{"resourceSpans"', b'{"resourceSpans":[{"scopeSpans":[{"spans":[', b'{"resourceLogs":[']
)
def test_a_damaged_line_costs_what_its_length_costs(piece: bytes) -> None:
    """Beginnings of exports over and over, none of them whole: each byte is looked at a few times, and not for each."""
    line = piece * 2000
    seen: list[int] = []

    def count(part: bytes) -> Batch | None:
        seen.append(len(part))
        return parse(part)

    assert rescue(line, count) is None
    assert sum(seen) <= len(line)


@pytest.mark.parametrize("text", [str(2**63), str(-(2**63) - 1), "9" * 401, 10**400])
def test_a_number_of_more_than_64_bits_is_left_out(text: object) -> None:
    """OTLP has no such whole numbers, and what reckons with them would fail."""
    span = _only(_line(attributes=[{"key": "k", "value": {"intValue": text}}]))
    assert span.attributes == {}
    assert _only(_line(attributes=[{"key": "k", "value": {"intValue": str(-(2**63))}}])).attributes == {"k": -(2**63)}


@pytest.mark.parametrize("number", ["Infinity", "-Infinity", -0.5, -1e300])
def test_what_is_below_zero_or_endless_is_no_measured_value(number: object) -> None:
    """Times, sizes and counts: the shortest of all answers took no less than nothing."""
    span = _only(_line(attributes=[{"key": "k", "value": {"doubleValue": number}}]))
    assert span.attributes == {"k": float(number)}  # type: ignore[arg-type]
    assert span.number("k") is None


def test_a_span_that_ends_before_it_starts_is_left_out_and_counted() -> None:
    """A clock was set back, or somebody lies; one without length is a span."""
    assert parse(_line(startTimeUnixNano="3001")) == Batch(backwards=1)
    assert _only(_line(startTimeUnixNano="3000")).seconds == 0


@pytest.mark.parametrize("strange", ["Some Id", "ab-CD", "A" * 24, "====", "Ü" * 24, "x\x1b"])
def test_an_id_of_another_kind_stays_as_it_is(strange: str) -> None:
    """It is no number in either form, so its letters stay what they are."""
    assert _only(_line(traceId=strange)).trace_id.replace("�", "\x1b") in (strange, strange.lower())
    assert _only(_line(traceId="Some Id")).trace_id == "Some Id"
