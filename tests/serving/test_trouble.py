"""What goes wrong around the telemetry: one clear line, and the server starts and answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from ailoop_otel import names
from tests.ailoop.client import connected
from tests.ailoop.process import Installation, Server, free_port
from tests.serving.conftest import Serve
from tests.serving.folder import Folder


def complaints(server: Server) -> list[str]:
    """The lines that the package has written to the server's output."""
    return [line for line in server.output().splitlines() if "ailoop-otel" in line]


async def answers(server: Server) -> None:
    """Hold a short conversation."""
    async with connected(server.port, server.dialect) as client:
        await client.start_session()
        exchange = await client.ask("x [[say chunks=2]]")
        assert exchange.first_text is not None


@pytest.mark.fault(
    "settings",
    theirs="A setting is no number",
    promise="The default, and one line with variable, value and mend",
)
async def test_an_invalid_setting(stateless: Installation, serve: Serve, folder: Folder) -> None:
    """The default is used, and one line names variable, value and mend."""
    server = serve(stateless, AILOOP_OTEL_AI_TIMEOUT_STALL="soon")
    await answers(server)
    (line,) = [line for line in complaints(server) if "STALL" in line]
    assert "'soon' is not a number from 0 to 86400 (s); 30 is used instead" in line
    assert folder.exchanges(1)


@pytest.mark.fault(
    "disk",
    theirs="The telemetry directory of a server cannot be made",
    promise="One line names the variable; the server answers and ends",
)
async def test_a_folder_that_cannot_be_written(stateless: Installation, serve: Serve, tmp_path: Path) -> None:
    """One line that names the variable to set."""
    blocked = tmp_path / "blocked"
    blocked.write_text("a file, not a folder", encoding="utf-8")
    server = serve(stateless, AILOOP_OTEL_DIRECTORY=str(blocked))
    await answers(server)
    assert server.stop() in (0, -15, 143)
    lines = [line for line in complaints(server) if "AILOOP_OTEL_DIRECTORY" in line]
    assert len(lines) == 1


async def test_a_dead_collector(stateless: Installation, serve: Serve) -> None:
    """One line a minute at most, and the server stops in time."""
    server = serve(
        stateless, OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{free_port()}", OTEL_BSP_SCHEDULE_DELAY="200"
    )
    await answers(server)
    await answers(server)
    server.stop()
    told = [line for line in server.output().splitlines() if "opentelemetry" in line or "ailoop-otel" in line]
    # The first says what is switched on.
    assert 2 <= len(told) <= 3, told


@pytest.mark.fault(
    "settings",
    theirs="An exporter is not installed",
    promise="One line says how to install it; the other signals go their way",
)
async def test_a_missing_extra(stateless: Installation, serve: Serve, folder: Folder) -> None:
    """An exporter that is not installed is left out, in one line; the other signals go their way."""
    server = serve(stateless, OTEL_TRACES_EXPORTER="zipkin", OTEL_LOGS_EXPORTER="ailoop_json_files")
    await answers(server)
    (line,) = [line for line in complaints(server) if "zipkin" in line]
    assert "pip install opentelemetry-exporter-zipkin" in line
    folder.wait(lambda folder: folder.events(names.EVENT_SESSION_END))


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.fault(
    "foreign",
    theirs="FastAPI's instrumentation and a second application in the process",
    promise="The same traces, none doubled",
)
async def test_beside_other_instrumentation_and_the_mcp_application(
    stateless: Installation, serve: Serve, folder: Folder, wrapped: bool
) -> None:
    """FastAPI's instrumentor, and a second application in a thread of the same process: the same traces."""
    arguments = ("--mcp_server_enable", "--mcp_server_port", str(free_port()))
    bin_folder = Path(stateless.command[0]).parent
    wrapper = (str(bin_folder / "opentelemetry-instrument"),) if wrapped else ()
    server = serve(stateless, *arguments, wrapper=wrapper, OTEL_PYTHON_DISTRO="ailoop")
    async with connected(server.port, server.dialect) as client:
        await client.start_session()
        await client.ask("x [[say chunks=3]]")
        await client.ask('x [[tool name=list_directory arguments={"path": "."}]] [[say chunks=3]]')
        folder.exchanges(2)
    server.stop()
    spans = [span.name for span in folder.spans() if "GET" not in span.name]
    exchange = ["sendUserMessage", names.SPAN_FIRST_CHUNK, names.SPAN_STREAM]
    inside = ["invoke_agent a", "invoke_agent a", "execute_tool list_directory", *(n for n in spans if "chat" in n)]
    session = ["startSession", names.SPAN_SESSION_START, names.SPAN_SESSION]
    assert sorted(spans) == sorted([*exchange, *exchange, *inside, *session])
    assert len([name for name in spans if "chat" in name]) == 3


async def test_what_is_switched_on_says_so_once(installation: Installation, serve: Serve, folder: Folder) -> None:
    """Which generation it is, where telemetry goes, and where to look."""
    server = serve(installation)
    await answers(server)
    await answers(server)
    server.stop()
    (line,) = [line for line in complaints(server) if "observes" in line]
    assert f"AILoop's generation {server.dialect!r}" in line
    assert f"traces, metrics, logs → OTLP JSON files in {folder.path}" in line
    assert f"`ailoop-otel traces {folder.path}` shows it" in line
