"""What the commands print with `--json` is what docs/json.schema.json says, member for member."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from ailoop_otel import cli
from ailoop_otel.measure.results import storage
from tests import json_page
from tests.docs.record import RECORDING
from tests.measure.latencies import run
from tests.replay.receiver import Receiver
from tests.view.sample import a_day

KINDS = set(json_page.SCHEMA["$defs"])
# What only `traces --follow` prints, whose own tests take it apart.
FOLLOWED = {"server"}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """An OTLP receiver that takes everything."""
    running = Receiver()
    yield running
    running.close()


@pytest.fixture
def printed(tmp_path: Path, capsys: pytest.CaptureFixture[str], receiver: Receiver) -> list[dict[str, Any]]:
    """What each command prints about a day of every ending, about real servers' telemetry, and about two load tests."""
    day, before, after = tmp_path / "day", tmp_path / "a", tmp_path / "b"
    day.mkdir()
    a_day(day)
    storage.save(run(1), before)
    storage.save(run(2, failing=0.1), after)
    lines: list[dict[str, Any]] = []

    def of(*words: str, codes: Sequence[int] = (0,), document: bool = False) -> None:
        assert cli.main([*words, "--json"]) in codes, words
        output = capsys.readouterr().out
        lines.extend([json.loads(output)] if document else map(json.loads, output.splitlines()))

    for place in (str(day), str(RECORDING)):
        of("traces", place, "--waterfall", "9")
        of("traces", place, "--trace", next(line["trace_id"] for line in reversed(lines) if line["kind"] == "timeout"))
        of("explain", "--dir", place)
        of("top", place, "--once")
    of("replay", str(RECORDING), "--endpoint", receiver.url, "--state", str(tmp_path / "state"))
    of("doctor", codes=(0, 1), document=True)
    of("compare", str(before), str(after), codes=(0, 1), document=True)
    return lines


def test_the_schema_is_one() -> None:
    """JSON Schema of 2020-12, each member with a type, every member of a kind always there."""
    jsonschema.Draft202012Validator.check_schema(json_page.SCHEMA)
    for kind, schema in json_page.SCHEMA["$defs"].items():
        assert schema["properties"]["kind"] == {"const": kind}
        assert schema["required"] == list(schema["properties"])


def test_outputs_are_as_the_schema_says(printed: list[dict[str, Any]]) -> None:
    """Each object of each command, and each kind occurs."""
    validators = {kind: jsonschema.Draft202012Validator(each) for kind, each in json_page.SCHEMA["$defs"].items()}
    for document in printed:
        validators[document["kind"]].validate(document)
    assert {document["kind"] for document in printed} == KINDS - FOLLOWED


def test_a_member_that_goes_or_comes_is_noticed() -> None:
    """Of each kind, also within what a member holds."""
    validator = jsonschema.Draft202012Validator(json_page.SCHEMA)
    server: dict[str, Any] = {"kind": "server", "event": "ailoop.server.start", "time": None}
    assert validator.is_valid(server)
    assert not validator.is_valid(server | {"new": 1})
    for member in server:
        assert not validator.is_valid({name: server[name] for name in server if name != member})


def test_the_page_is_made_from_the_schema() -> None:
    """`make docs` writes it."""
    assert json_page.PATH.read_text(encoding="utf-8") == json_page.page()
