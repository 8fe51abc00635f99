"""Which servers have ended, killed ones too, and what became of their sessions and exchanges."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Iterator
from datetime import timezone
from pathlib import Path
from typing import Any

import pytest

from ailoop_otel.units import SECOND
from ailoop_otel.view.options import Filters, TracesOptions
from ailoop_otel.view.servers import Servers
from ailoop_otel.view.top import Directory, top
from ailoop_otel.view.trace_files import read_all, read_trace
from ailoop_otel.view.traces import show
from tests.ailoop.client import connected
from tests.ailoop.process import STATELESS, serving, standin
from tests.ailoop.provider import Provider
from tests.serving.folder import Folder
from tests.view.conftest import console_of, written_on
from tests.view.explained.stage import variables
from tests.view.sample import BEGIN, Sample


def _at(seconds: float) -> int:
    return BEGIN * SECOND + int(seconds * SECOND)


@pytest.fixture
def after(sample: Sample) -> Iterator[Sample]:
    """A second process that writes into the same directory."""
    writer = Sample(sample.directory, 102)
    yield writer
    writer.close()


def _lost(directory: Path, now: float) -> tuple[list[float], list[float]]:
    """When the sessions and the open exchanges were lost, seconds after the beginning; 0 for those that were not."""
    aggregator = read_all(directory, Filters(), lambda: _at(now)).aggregator
    found = aggregator.sessions(), aggregator.open()
    sessions, exchanges = ([(each.lost - _at(0)) / SECOND if each.lost else 0 for each in kind] for kind in found)
    return sessions, exchanges


def test_a_server_that_says_nothing_for_three_intervals_has_ended(sample: Sample) -> None:
    """With its last sign, and not while it may only be idle; its interval is what it was."""
    sample.session("s-1", 10)
    sample.exchange("s-1", 20, 1.0, finished=False)
    sample.metrics(60, 120)
    assert _lost(sample.directory, 299) == ([0], [0])
    assert _lost(sample.directory, 301) == ([120], [120])
    sample.metrics(420)
    assert _lost(sample.directory, 420 + 899) == ([0], [0])
    assert _lost(sample.directory, 420 + 901) == ([420], [420])
    with sample.held():  # the machine slept, say
        assert _lost(sample.directory, 420 + 901) == ([0], [0])


def test_without_metrics_silence_says_nothing(sample: Sample) -> None:
    """They may go elsewhere."""
    sample.session("s-1", 10)
    sample.exchange("s-1", 20, 1.0, finished=False)
    assert _lost(sample.directory, 1e6) == ([0], [0])


def test_a_server_that_stopped_took_with_it_what_did_not_end(sample: Sample) -> None:
    """By its own word; what begins after it in the same process lives."""
    sample.session("s-1", 10)
    sample.server(30, stop=True)
    assert _lost(sample.directory, 31) == ([30], [])
    sample.server(40)
    sample.session("s-2", 50)
    assert _lost(sample.directory, 51) == ([40], []) or _lost(sample.directory, 51) == ([40, 0], [])


def test_another_process_that_began_since_ends_one_that_has_no_file_open(sample: Sample, after: Sample) -> None:
    """At once, and not where both write."""
    sample.session("s-1", 10)
    after.session("s-2", 20)
    with sample.held():
        assert _lost(sample.directory, 21) == ([0, 0], [])
    assert _lost(sample.directory, 21) == ([10.001, 0], [])


def test_files_of_others_hold_no_lock(sample: Sample, after: Sample, tmp_path: Path) -> None:
    """A collector's file, or what a Jaeger has: there a process may be idle while another begins."""
    sample.session("s-1", 10)
    after.session("s-2", 20)
    other = tmp_path / "other"
    other.mkdir()
    (other / "collected.jsonl").write_text("".join(map(Path.read_text, sorted(sample.directory.iterdir()))))
    assert _lost(other, 21) == ([0, 0], [])


def test_what_is_known_is_bounded(monkeypatch: pytest.MonkeyPatch, sample: Sample, after: Sample) -> None:
    """The processes of years are not all kept."""
    monkeypatch.setattr("ailoop_otel.view.servers._MOST", 1)
    sample.metrics(60)
    after.metrics(60)
    servers = read_all(sample.directory, Filters()).aggregator.servers
    assert (servers.runs("process-101"), servers.runs("process-102")) == (True, False)
    assert Servers().all_ended() == 0


async def _left(port: int, folder: Folder) -> None:
    """One whole answer, and one that hangs."""
    async with connected(port, STATELESS) as client:
        await client.start_session()
        await client.ask("hello [[say chunks=3]]")
        await (await client.send("hello [[stall chunks=3 after=1]]")).started()
        await asyncio.to_thread(folder.wait, lambda folder: len(folder.spans("ailoop.first_chunk")) == 2)
        await asyncio.to_thread(folder.wait, lambda folder: folder.metrics())
        client.drop()


def test_a_killed_server_s_sessions_ended_with_it(tmp_path: Path) -> None:
    """In tables, as JSON, above its trace, and in `top`, as soon as the next server has started."""
    folder = Folder(tmp_path / "telemetry")
    with Provider() as provider:
        recorded = {
            **variables(provider.plain_environment(), folder, tmp_path),
            "OTEL_METRIC_EXPORT_INTERVAL": "300",
        }
        with serving(standin(STATELESS), recorded) as server:
            asyncio.run(_left(server.port, folder))
            server.kill()
        with serving(standin(STATELESS), recorded) as server:
            folder.wait(lambda folder: len(folder.resources("metrics")["process.pid"]) == 2)
            documents = _json(folder.path)
            shown = _shown(TracesOptions(str(folder.path)))
            now = Directory(folder.path).read()
    (session,) = [each for each in documents if each["kind"] == "session"]
    assert (session["state"], session["end_reason"]) == ("ended", "server_ended")
    (lost,) = [each for each in documents if each["kind"] == "exchange" and each["server_ended"]]
    assert (lost["outcome"], lost["server_ended"]) == ("open", session["end"])
    clock = session["end"][11:19]
    assert f"ended with the server, {clock}" in shown, shown
    assert "⊘ lost " in shown
    assert "1 lost with the server" in shown
    assert f"its server ended at {clock}, before its answer was complete" in shown
    assert now.open == []
    assert now.ended == 0
    assert not now.values.get("open")
    assert read_trace(folder.path, str(lost["trace_id"]))[0].aggregator.open()[0].lost


def test_top_says_that_nobody_is_there(sample: Sample) -> None:
    """And has no number of what is no more."""
    sample.metrics(60, 120, sessions=3)
    assert Directory(sample.directory, lambda: _at(150)).read().values == {"retained": 3}
    source = Directory(sample.directory, lambda: _at(400))
    console = console_of(100)
    top(source, console, once=True, json=False, zone=timezone.utc)
    text = written_on(console)
    assert "the server ended at 14:02:00" in text
    assert "– left" in text


def _shown(options: TracesOptions) -> str:
    console = console_of(120)
    show(options, console, zone=timezone.utc)
    return written_on(console)


def _json(place: Path) -> list[dict[str, Any]]:
    console = console_of(80)
    show(TracesOptions(str(place), json=True), console)
    assert isinstance(console.file, io.TextIOWrapper)
    return [json.loads(line) for line in written_on(console).splitlines()]
