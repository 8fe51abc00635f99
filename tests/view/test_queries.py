"""What a Jaeger holds, shown as recorded telemetry is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler

import pytest

from ailoop_otel import cli
from ailoop_otel.settings import UsageError
from ailoop_otel.view.queries import fetched
from collector.stack import Ports
from tests.replay.test_jaeger import faithful
from tests.stack.backends import eventually
from tests.stack.conftest import jaeger_program
from tests.view.conftest import served
from tests.view.sample import BEGIN, Sample

__all__ = ["faithful", "jaeger_program"]


@pytest.mark.backend
def test_a_jaeger_is_read_as_files_are(faithful: Ports, sample: Sample, capsys: pytest.CaptureFixture[str]) -> None:
    """The same exchanges, with the same outcomes and durations, and `explain` of the longest."""
    for number in range(6):
        sample.exchange("s-1", 10 * number, 1.0 + 4 * (number == 3), inside=True)
    sample.close()
    assert cli.main(["replay", str(sample.directory), "--endpoint", faithful.otlp]) == 0
    capsys.readouterr()
    query = ["--jaeger", faithful.jaeger, "--since", "2025-11-22T00:00Z", "--json"]

    def exchanges() -> list[tuple[str, str, float]]:
        cli.main(["traces", *query])
        rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        return [(row["trace_id"], row["outcome"], row["duration_s"]) for row in rows if row["kind"] == "exchange"]

    found = eventually(exchanges, lambda rows: len(rows) == 6)
    assert cli.main(["traces", str(sample.directory), "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert found == [(r["trace_id"], r["outcome"], r["duration_s"]) for r in rows if r["kind"] == "exchange"]
    assert cli.main(["explain", *query]) == 0
    explained = json.loads(capsys.readouterr().out)
    assert explained["trace_id"] == found[3][0]
    assert explained["usual"]["exchanges"] == 5


class _Answers(BaseHTTPRequestHandler):
    status, content = 200, b"{}"

    def do_GET(self) -> None:
        """Answer with what the test has set."""
        self.send_response(self.status)
        self.end_headers()
        self.wfile.write(self.content)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def web() -> Iterator[tuple[str, type[_Answers]]]:
    """A web server that is no Jaeger, and what it answers."""
    answers = type("Answers", (_Answers,), {})
    with served(answers) as url:
        yield url, answers


@pytest.mark.parametrize(
    ("status", "content"),
    [
        (200, b"<html>"),
        (200, b"[" * 100_000),
        (200, b"[]"),
        (200, b'{"result": 7}'),
        (200, b'{"result": {"resourceSpans": "\xff"}}'),
        (404, b""),
        (500, b"{}"),
    ],
)
def test_another_answer_is_one_line(web: tuple[str, type[_Answers]], status: int, content: bytes) -> None:
    """Whatever stands at that address."""
    address, answers = web
    answers.status, answers.content = status, content
    with pytest.raises(UsageError) as refusal, fetched(address, BEGIN, 0):
        pass
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("address", ["", "jaeger", "ftp://127.0.0.1", "http://[", "http://:0", "http://127.0.0.1:1"])
def test_an_address_without_a_jaeger_is_one_line(address: str) -> None:
    """Not there, or no address."""
    with pytest.raises(UsageError), fetched(address, 0, 0):
        pass
