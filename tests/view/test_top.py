"""The server as it is now."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from ailoop_otel import cli, names
from ailoop_otel.settings import UsageError
from ailoop_otel.terminal import Terminal
from ailoop_otel.units import SECOND
from ailoop_otel.view.top import Directory, Prometheus, top
from tests.ailoop.client import connected
from tests.ailoop.process import STATELESS, serving, standin
from tests.ailoop.provider import Provider
from tests.serving.folder import Folder
from tests.view.conftest import console_of, served, written_on
from tests.view.explained.stage import variables
from tests.view.sample import BEGIN, Sample


def _at(seconds: float) -> int:
    return BEGIN * SECOND + int(seconds * SECOND)


async def _stalled(port: int, provider: Provider, folder: Folder) -> tuple[str, str]:
    """One whole answer, one error, one that stalls after its first chunk: what `top` shows then, and as JSON."""
    async with connected(port, STATELESS) as client:
        await client.start_session()
        provider.queue("say chunks=3", "fail status=429", "stall chunks=3 after=1")
        await client.ask("hello")
        await client.ask("hello")
        exchange = await client.send("hello")
        await exchange.started()

        def measured(found: Folder) -> bool:
            points = found.points(names.METRIC_EXCHANGE_ACTIVE.name)
            first_chunks = found.spans(names.SPAN_FIRST_CHUNK)
            return len(first_chunks) == 2 and any(int(point["asInt"]) == 1 for point in points)

        await asyncio.to_thread(folder.wait, measured)
        source = Directory(folder.path)
        console, script = console_of(80), Terminal(file=io.StringIO())
        top(source, console, once=True, json=False)
        top(source, script, once=True, json=True)
        provider.release()
        await exchange.done()
        return written_on(console), script.file.getvalue()  # type: ignore[attr-defined]


def test_a_running_server_shows_what_is_open(tmp_path: Path) -> None:
    """An exchange that has stalled, the errors by kind, and the process's numbers."""
    folder = Folder(tmp_path / "telemetry")
    with Provider() as provider:
        recorded = {
            **variables(provider.plain_environment(), folder, tmp_path),
            "OTEL_METRIC_EXPORT_INTERVAL": "300",
        }
        with serving(standin(STATELESS), recorded) as server:
            shown, script = asyncio.run(_stalled(server.port, provider, folder))
    found = json.loads(script)
    assert (found["open"], found["sessions"], found["connections"]) == (1, 1, 1)
    assert found["errors"] == {"429": 1}
    assert found["exchanges_per_minute"] == pytest.approx(2 / 5)
    assert found["memory_bytes"] > 10_000_000
    assert found["first_chunk_p50_s"] > 0
    (stalled,) = found["open_exchanges"]
    assert stalled["outcome"] == "open"
    assert stalled["silent_s"] >= 0
    assert "1 open" in shown
    assert "1 429" in shown
    assert stalled["trace_id"][:8] in shown


def test_what_ended_before_the_window_is_not_now(sample: Sample) -> None:
    """Rates are of five minutes; an exchange of a server that has stopped since is not open."""
    sample.exchange("s-1", 0, 1.0)
    sample.exchange("s-1", 400, 1.0, outcome="ai_error", error_type="500")
    sample.exchange("s-2", 410, 1.0, finished=False)
    now = Directory(sample.directory, lambda: _at(420)).read()
    assert now.errors == {"500": 1}
    assert len(now.open) == 1
    sample.server(450, stop=True)
    now = Directory(sample.directory, lambda: _at(460)).read()
    assert now.open == []
    assert now.ended == _at(450)


def test_the_next_look_has_what_came_since(sample: Sample) -> None:
    """The same source is read again and again."""
    source = Directory(sample.directory, lambda: _at(60))
    assert source.read().per_minute == 0
    sample.exchange("s-1", 50, 1.0)
    assert source.read().per_minute == pytest.approx(0.2)
    assert source.read().per_minute == pytest.approx(0.2)


@pytest.mark.parametrize(("phase", "silent"), [("first_chunk", 50), ("stall", 40), ("total", 10)])
def test_a_silence_counts_from_the_last_sign_of_the_ai(sample: Sample, phase: str, silent: float) -> None:
    """Not from when it was noticed, a deadline later; and the exchange lasts until now, never shorter."""
    sample.exchange(
        "s-1", 100, 41, timeout=phase, deadline=40 if phase == "first_chunk" else 30, first_chunk=None, finished=False
    )
    script = Terminal(file=io.StringIO())
    top(Directory(sample.directory, lambda: _at(150)), script, once=True, json=True)
    (found,) = json.loads(script.file.getvalue())["open_exchanges"]  # type: ignore[attr-defined]
    assert found["silent_s"] == pytest.approx(silent, abs=0.01)
    assert found["duration_s"] == pytest.approx(50 if phase == "first_chunk" else 40, abs=0.01)  # all that is written


def test_the_longest_silent_is_first(sample: Sample) -> None:
    """Though its silence was noticed last."""
    sample.exchange("s-1", 0, 1.0, finished=False)
    sample.exchange("s-2", 0, 50, timeout="first_chunk", deadline=49, first_chunk=None, finished=False)
    now = Directory(sample.directory, lambda: _at(60)).read()
    assert [each.session_id for each in now.open] == ["s-2", "s-1"]


def test_on_a_terminal_it_is_refreshed_until_ctrl_c(sample: Sample) -> None:
    """In place, by another look each second."""
    looks = []
    sample.exchange("s-1", 0, 1.0)

    def wait(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 3:
            raise KeyboardInterrupt

    console = Terminal(file=io.StringIO(), force_terminal=True, width=80, _environ={})
    with pytest.raises(KeyboardInterrupt):
        top(Directory(sample.directory), console, once=False, json=False, wait=wait)
    assert looks == [1.0] * 3


def test_nothing_to_look_at_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A directory without telemetry."""
    assert cli.main(["top", str(tmp_path), "--once"]) == 2
    assert capsys.readouterr().err.startswith("ailoop-otel: no telemetry in")


class _Prometheus(BaseHTTPRequestHandler):
    """Answers each query by what it asks for, as Prometheus does."""

    values: dict[str, Any]

    def do_GET(self) -> None:
        """Answer with the first value whose name the query has in it."""
        query = parse_qs(urlsplit(self.path).query)["query"][0]
        found = [value for name, value in self.values.items() if name in query]
        series = [] if not found else [{"metric": {"error_type": "429"}, "value": [0, found[0]]}]
        content = json.dumps({"status": "success", "data": {"resultType": "vector", "result": series}}).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def prometheus() -> Iterator[tuple[str, dict[str, Any]]]:
    """The address of a Prometheus, and its values by parts of queries."""
    values: dict[str, Any] = {}
    with served(type("Handler", (_Prometheus,), {"values": values})) as url:
        yield url, values


def test_a_prometheus_has_the_same_numbers(prometheus: tuple[str, dict[str, Any]]) -> None:
    """By the names that a collector gives the metrics there."""
    url, values = prometheus
    values.update(
        {
            "sum(ailoop_exchange_active)": "3",
            "sum(process_memory_usage_bytes)": "1000000",
            "sum(ailoop_otel_telemetry_kept_total)": "9",
            "sum(ailoop_otel_telemetry_sent_total)": "4",
            "histogram_quantile(0.95, sum by (le) (rate(ailoop_exchange_time_to_first_chunk_seconds_bucket": "1.5",
            "ailoop_errors_total": "2",
            "rate(ailoop_event_loop_lag_seconds_sum": "NaN",
        }
    )
    now = Prometheus(url).read()
    assert now.values == {"open": 3, "memory": 1_000_000, "kept": 9, "sent": 4}
    assert (now.spooled, now.first_p95, now.first_p50, now.lag) == (5, 1.5, None, None)
    assert now.errors == {"429": 2}


@pytest.mark.parametrize("value", [None, [], "x", {}])
def test_strange_values_are_not_known(prometheus: tuple[str, dict[str, Any]], value: object) -> None:
    """Whatever stands where a number should be."""
    url, values = prometheus
    values["sum(ailoop_exchange_active)"] = value
    assert Prometheus(url).read().values == {}


def test_a_prometheus_without_a_server_s_metrics_says_so(prometheus: tuple[str, dict[str, Any]]) -> None:
    """A collector forgets those of a server that has ended, after minutes."""
    console = console_of(80)
    top(Prometheus(prometheus[0]), console, once=True, json=False)
    assert "no metrics of a running server" in written_on(console)


def test_a_server_that_is_no_prometheus_is_one_line() -> None:
    """Nobody is there."""
    with pytest.raises(UsageError):
        Prometheus("http://127.0.0.1:1").read()
