"""What `explain` compares, and how it is shown."""

from __future__ import annotations

import asyncio
import json
from datetime import timezone
from pathlib import Path

import pytest

from ailoop_otel import cli
from ailoop_otel.settings import UsageError
from ailoop_otel.view.explain import explain
from tests.ailoop.client import connected
from tests.ailoop.process import DELEGATES, serving, standin
from tests.ailoop.provider import Provider
from tests.serving.folder import Folder
from tests.view.conftest import console_of, written_on
from tests.view.sample import BEGIN, Sample


def _page(place: Path, *traces: str, width: int = 120, encoding: str = "utf-8") -> str:
    console = console_of(width, encoding=encoding)
    explain(place, traces, console, zone=timezone.utc)
    return written_on(console)


def _trace(sample: Sample, at: float, seconds: float, **more: object) -> str:
    root = sample.exchange("s-1", at, seconds, inside=True, **more)  # type: ignore[arg-type]
    return f"{root.get_span_context().trace_id:032x}"


@pytest.fixture
def slow(sample: Sample) -> str:
    """Six exchanges, the fourth of which took longest: its trace."""
    traces = [_trace(sample, 10 * number, 1.0 + 4 * (number == 3)) for number in range(6)]
    sample.close()
    return traces[3]


@pytest.mark.parametrize(("width", "encoding"), [(60, "utf-8"), (80, "ascii"), (120, "utf-8"), (200, "utf-8")])
def test_the_furthest_from_the_usual_is_explained(sample: Sample, slow: str, width: int, encoding: str) -> None:
    """Two waterfalls on one scale, side by side where there is room."""
    page = _page(sample.directory, width=width, encoding=encoding)
    first, *rest = page.splitlines()
    assert first.startswith(f"Trace {slow[:8]} took 5.00 s; 5 others")
    titles = [line for line in rest if "this one" in line]
    assert ("a usual one" in titles[0]) == (width >= 100)
    assert "a usual one" in page
    assert all(len(line) <= width for line in page.splitlines())


def test_two_exchanges_are_compared(sample: Sample, slow: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The first with the second, whichever is longer."""
    assert cli.main(["traces", str(sample.directory), "--json"]) == 0
    rows = [json.loads(row) for row in capsys.readouterr().out.splitlines()]
    other = next(row["trace_id"] for row in rows if row["kind"] == "exchange" and row["trace_id"] != slow)
    page = " ".join(_page(sample.directory, slow[:12], other[:12]).split())
    assert f"Trace {slow[:8]} took 5.00 s; trace {other[:8]} took 1.00 s." in page
    assert f"in {other[:8]}" in page
    page = " ".join(_page(sample.directory, other, slow).split())
    assert "Nothing stands out" in page


def test_one_alone_has_nothing_to_compare_with(sample: Sample, capsys: pytest.CaptureFixture[str]) -> None:
    """It says so, and calls no part of it longer, slower or unusual."""
    _trace(sample, 0, 1.0)
    sample.close()
    page = _page(sample.directory)
    assert page.splitlines()[0].endswith("took 1.00 s; there is no other exchange to compare it with.")
    for word in ("slow", "longer", "usual", "none", "+", "stands out"):
        assert word not in page
    assert cli.main(["explain", "--dir", str(sample.directory), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["culprit"], found["causes"]) == (None, [])
    assert {part["usual_s"] for part in found["parts"]} == {None}


def test_one_alone_still_says_what_needs_no_comparison(sample: Sample, capsys: pytest.CaptureFixture[str]) -> None:
    """A tool that held the event loop did so, whatever others did."""
    _trace(sample, 0, 1.0, blocked="list_directory", spent=[0.04])
    sample.close()
    assert cli.main(["explain", "--dir", str(sample.directory), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [cause["cause"] for cause in found["causes"]] == ["blocking_tool"]
    assert "The tool list_directory ran for 40 ms. It ran on the event loop" in found["text"]


def test_an_exchange_that_was_lost_with_its_server_is_told_so(sample: Sample, slow: str) -> None:
    """Once nothing has come of that server for three intervals of its metrics."""
    again = Sample(sample.directory, 102)
    lost = _trace(again, 70, 2.0, finished=False)
    again.metrics(72, 132)
    again.close()
    for seconds, words in (
        (140, "has no end yet, and lasted 2.00 s so far"),
        (400, "was lost with its server after 2.0"),
    ):
        console = console_of(120)
        explain(sample.directory, [lost], console, zone=timezone.utc, clock=lambda now=seconds: (BEGIN + now) * 10**9)
        assert f"Trace {lost[:8]} {words}" in " ".join(written_on(console).split())
    assert slow


@pytest.mark.parametrize("traces", [("zz",), ("",), ("0" * 32,), ("a", "b", "c")])
def test_what_is_no_exchange_is_one_line(sample: Sample, slow: str, traces: tuple[str, ...]) -> None:
    """No id, one that is not there, or too many."""
    assert slow
    with pytest.raises(UsageError):
        _page(sample.directory, *traces)


async def _queued(port: int, provider: Provider) -> None:
    async with connected(port, DELEGATES) as client:
        await client.start_session()
        for _ in range(4):
            provider.queue("say chunks=2")
            await client.ask("hello")
        provider.queue("say chunks=12 delay=0.3", "say chunks=2")
        long, waiting = await client.send("hello"), await client.send("hello")
        await long.done()
        await waiting.done()


def test_a_message_that_waited_in_the_servers_queue_says_for_how_long(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The earlier generation accepts a message at once, and answers it after the one before it."""
    folder = Folder(tmp_path / "telemetry")
    with Provider() as provider:
        variables = {
            **provider.plain_environment(),
            "AILOOP_OTEL_ENABLED": "true",
            "AILOOP_OTEL_DIRECTORY": str(folder.path),
        }
        with serving(standin(DELEGATES), variables) as server:
            asyncio.run(_queued(server.port, provider))
            roots = folder.exchanges(6)
    assert cli.main(["explain", roots[-1].trace, "--dir", str(folder.path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["culprit"] == "queued", found["text"]
    assert found["causes"][0]["seconds"] > 0.5
    assert f"for the answer before it in its session (trace {roots[-2].trace[:8]}" in found["text"]
