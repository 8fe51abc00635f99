"""Recordings of somebody else: what is strange in a record is text, left out or counted, and ends nothing."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from ailoop_otel import names
from ailoop_otel.view.options import TracesOptions
from tests.view.conftest import Drawn

BEGIN = 1_763_820_000_000_000_000
TRACE = "fb" * 16
COUNTED = [attribute.name for attribute in names.ATTRIBUTES if attribute.unit.startswith("{")]


@pytest.fixture(autouse=True)
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "telemetry").mkdir()


def _line(**changes: Any) -> bytes:
    attributes = {names.OUTCOME: "ok", names.SESSION_ID: "s-1", **changes.pop("attributes", {})}
    span = {
        "traceId": TRACE,
        "spanId": "01" * 8,
        "name": "sendUserMessage",
        "kind": 2,
        "startTimeUnixNano": str(BEGIN),
        "endTimeUnixNano": str(BEGIN + 1_500_000_000),
        "attributes": [
            {"key": key, "value": value if isinstance(value, dict) else {"stringValue": value}}
            for key, value in attributes.items()
        ],
        **changes,
    }
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"scope": {"name": names.SCOPE}, "spans": [span]}]}]}).encode()


def _recorded(*lines: bytes, name: str = "traces-1.jsonl") -> TracesOptions:
    content = b"".join(line + b"\n" for line in lines)
    path = Path("telemetry") / name
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return TracesOptions("telemetry")


@pytest.mark.parametrize("number", ["Infinity", "-Infinity", "NaN", 1e300])
@pytest.mark.parametrize("attribute", COUNTED)
def test_a_count_that_is_no_number_is_shown_as_it_is(drawn: Drawn, attribute: str, number: object) -> None:
    """In the waterfall, where it gets its unit."""
    options = _recorded(_line(attributes={attribute: {"doubleValue": number}}))
    assert "sendUserMessage" in drawn(options)


@pytest.mark.parametrize("text", ["[/]", "[/x]", "[red]", ":smile:", "\x1b[31m"])
def test_no_text_is_markup(drawn: Drawn, text: str) -> None:
    """Wherever a text of a record is shown: ids, outcomes, errors, methods, phases."""
    lines = [
        _line(traceId=text, attributes={names.SESSION_ID: text, names.OUTCOME: text, names.ERROR_TYPE: text}),
        _line(spanId="02" * 8, name=text, attributes={names.RPC_METHOD: text}),
        _line(
            spanId="03" * 8,
            kind=1,
            name=names.SPAN_AI_TIMEOUT,
            parentSpanId=text,
            attributes={names.TIMEOUT_PHASE: text, names.TIMEOUT_WAITING_FOR: text},
        ),
        _line(spanId=text, kind=1, name=names.SPAN_SESSION, attributes={names.SESSION_END_REASON: text}),
    ]
    page = drawn(_recorded(*lines))
    assert page.count(text.replace("\x1b", "�")) >= 5
    assert "\x1b" not in page


def test_spans_that_end_before_they_start_are_left_out_and_said_to_be(drawn: Drawn) -> None:
    """The shortest of all answers is none of them."""
    page = drawn(_recorded(_line(), _line(spanId="02" * 8, startTimeUnixNano=str(BEGIN + 2_000_000_000))))
    assert "1 span ends before it starts and was left out" in page
    assert "Exchanges    1   ✓ 1 ok" in page
    assert "-" not in page.split("Took", 2)[-1].splitlines()[0]


def test_an_outcome_that_is_not_known_is_another(drawn: Drawn) -> None:
    """Whatever a file says, there are only so many outcomes."""
    page = drawn(_recorded(*(_line(spanId=f"{number:016x}", attributes={names.OUTCOME: f"x{number}"})
                             for number in range(1, 300))))  # fmt: skip
    assert "299 _OTHER" in page


def test_compressed_files_are_shown(drawn: Drawn) -> None:
    """Also one that was cut: as far as it goes, and that it does."""
    _recorded(_line(), name="traces-1.jsonl.gz")
    options = _recorded(_line(spanId="02" * 8), name="traces-2.jsonl.gz")
    assert "2 ok" in drawn(options)
    path = Path("telemetry/traces-2.jsonl.gz")
    path.write_bytes(path.read_bytes()[:-8])
    page = drawn(options)
    assert "could not be read: traces-2.jsonl.gz (compressed, and cut off or damaged: read up to there)" in page
    assert "2 ok" in page


def test_a_deep_trace_is_drawn_as_far_as_there_are_rows(drawn: Drawn) -> None:
    """Each span the child of the one before."""
    lines = (_line(spanId=f"{number:016x}", parentSpanId=f"{number - 1:016x}" if number > 1 else "",
                   kind=2 if number == 1 else 1) for number in range(1, 3000))  # fmt: skip
    assert "… and 2,799 spans more" in drawn(_recorded(*lines))
