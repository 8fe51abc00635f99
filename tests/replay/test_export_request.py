"""Reading lines so that they can be sent as they are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from ailoop_otel.recorded import input_file
from ailoop_otel.recorded.input_file import read_lines
from ailoop_otel.recorded.otlp_json import LOGS, METRICS, TRACES
from ailoop_otel.replay import export_request
from ailoop_otel.replay.export_request import ExportRequest, halves, is_skippable, parse
from tests.recorded.test_records import ALMOST
from tests.replay.exports import BEGIN, logs, metrics, traces


def test_lines_come_with_their_place(tmp_path: Path) -> None:
    """Each without its break; the last one may have none."""
    path = tmp_path / "file"
    path.write_bytes(b"one\n\ntwo\r\nthree")
    read = list(read_lines(path))
    assert [line.content for line in read] == [b"one", b"", b"two", b"three"]
    assert [line.number for line in read] == [1, 2, 3, 4]
    assert [line.ended for line in read] == [True, True, True, False]
    assert sum(line.size for line in read) == path.stat().st_size


def test_a_line_without_end_does_not_fill_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its beginning is read, its size is known, and the next line is whole."""
    monkeypatch.setattr(input_file, "LONGEST_LINE", 100)
    path = tmp_path / "file"
    path.write_bytes(b"x" * 1000 + b"\nnext\n" + b"y" * 99 + b"\n" + b"z" * 100)
    read = list(read_lines(path))
    assert [(len(line.content), line.size, line.too_long) for line in read] == [
        (100, 1001, True),
        (4, 5, False),
        (99, 100, False),
        (100, 100, False),
    ]


def test_a_document_is_what_stands_in_the_line() -> None:
    """Not a byte is changed; the number of spans, their service and times are read."""
    content = traces("one", spans=3).strip()
    found = parse(content)
    assert found is not None
    assert found.content is content
    assert (found.signal, found.records, found.services) == (TRACES, 3, {"ailoop"})
    assert (found.begin, found.end) == (BEGIN, BEGIN + 3 * 10**9)


def test_each_signal_is_known_by_what_it_holds() -> None:
    """Their times are not asked for: only spans are looked for by time."""
    for line, signal in ((logs("a"), LOGS), (metrics("b"), METRICS)):
        found = parse(line.strip())
        assert found is not None
        assert (found.signal, found.records, found.begin, found.end) == (signal, 1, 0, 0)


def test_of_a_torn_line_the_whole_one_behind_it_is_kept() -> None:
    """The first writer was killed in mid-line, the second went on in the same file."""
    whole = traces("second").strip()
    found = parse(traces("first")[:70] + whole)
    assert found is not None
    assert found.content == whole


def test_what_was_halved_is_whole_together() -> None:
    """Each record as it was, with its resource and scope, and no empty ones."""
    first, second = traces("one", spans=3).strip(), traces("two", spans=2, service="other").strip()
    joined = first[:-2] + b"," + second[len(b'{"resourceSpans":[') :]
    whole = parse(joined)
    assert whole is not None
    left, right = halves(whole)
    assert (left.records, right.records) == (2, 3)
    assert (left.services, right.services) == ({"ailoop"}, {"ailoop", "other"})
    assert _flat(left) + _flat(right) == _flat(whole)


def _flat(found: ExportRequest) -> list[object]:
    return [
        (resource["resource"], scoped["scope"], span)
        for resource in json.loads(found.content)["resourceSpans"]
        for scoped in resource["scopeSpans"]
        for span in scoped["spans"]
    ]


@settings(max_examples=30)
@given(outer=some.sampled_from([TRACES, LOGS, METRICS]), root=ALMOST)
def test_whatever_is_halved_no_record_is_lost(outer: export_request.Signal, root: object) -> None:
    """Nor made up."""
    found = parse(json.dumps({outer.members[0]: root}).encode())
    assert found is not None
    if found.records > 1:
        assert sum(half.records for half in halves(found)) == found.records


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"5", b'{"a":1}', b"\xff", b"[" * 100_000, traces("a")[:-5]])
def test_what_is_no_telemetry_is_none(content: bytes) -> None:
    """Nothing of it is sent."""
    assert parse(content) is None


def test_numbers_that_make_no_sense_cost_the_times_only() -> None:
    """The line is sent all the same: the collector decides whether it accepts it."""
    content = traces("one").replace(str(BEGIN).encode(), b"soon").replace(b'"end', b'"start')
    found = parse(content.strip())
    assert found is not None
    assert (found.records, found.begin, found.end) == (1, BEGIN + 10**9, 0)


@given(some.binary())
@pytest.mark.fault(
    "files",
    theirs="Arbitrary bytes where a recording should be (`replay`)",
    promise="No exception",
)
def test_no_bytes_can_crash_the_reader(content: bytes) -> None:
    """Whatever a disk gives back."""
    assert parse(content) is None


@settings(max_examples=30)
@given(outer=some.sampled_from([TRACES, LOGS, METRICS]), root=ALMOST)
def test_no_json_can_crash_the_reader(outer: export_request.Signal, root: object) -> None:
    """JSON that is almost OTLP is sent, however little is known of it."""
    found = parse(json.dumps({outer.members[0]: root}).encode())
    assert found is not None
    assert found.signal is outer


def test_a_line_of_another_signal_need_not_be_decoded() -> None:
    """Unless it is torn: then something else may stand behind it."""
    wanted = frozenset({TRACES})
    assert is_skippable(metrics("a").strip(), wanted)
    assert not is_skippable(metrics("a").strip()[:-1], wanted)
    assert not is_skippable(traces("a").strip(), wanted)
    assert not is_skippable(b'{"other":[]}', wanted)
