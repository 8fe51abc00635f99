"""However it is switched on, and whatever else watches HTTP: one set of spans."""

from __future__ import annotations

import asyncio
import importlib.util
import signal
from pathlib import Path

import pytest

from tests.serving.folder import Folder
from tests.switching.servers import CONVERSATION, Recorded, all_recorded, converse, recorded, running
from tests.switching.steps import SERVICE
from tests.switching.ways import ALL, PAIRS, RUN, STARTUP_FILE, WAYS, WRAPPER, Way, scripted

REQUEST = ["GET /health"]
HAS_OWN_TELEMETRY = importlib.util.find_spec("fastapi.telemetry") is not None
HAS_OTHER_DISTRO = importlib.util.find_spec("opentelemetry.distro") is not None

# Who else may be there: FastAPI's instrumentor for all applications or for one, the ASGI middleware around it.
BESIDE = {
    "start-up file": (
        scripted("fastapi app", **STARTUP_FILE.variables),
        scripted("app fastapi fastapi_app", **STARTUP_FILE.variables),
        scripted("app asgi", **STARTUP_FILE.variables),
        scripted("app cors asgi", **STARTUP_FILE.variables),
    ),
    "instrument() before": (
        scripted("fastapi instrument app"),
        scripted("import instrument fastapi app"),
        scripted("instrument app fastapi_app"),
        scripted("instrument app asgi"),
    ),
    "instrument() after": (
        scripted("fastapi app instrument"),
        scripted("app fastapi_app instrument"),
        scripted("app instrument fastapi_app"),
        scripted("app asgi instrument"),
    ),
    "add_middleware": (
        scripted("fastapi app middleware"),
        scripted("app fastapi_app middleware"),
        scripted("app middleware fastapi_app"),
        scripted("app middleware asgi"),
    ),
}


def agree(found: dict[str, Recorded]) -> None:
    """Each has the spans of one conversation, and one for one request."""
    assert {name: each.conversation for name, each in found.items()} == dict.fromkeys(found, CONVERSATION)
    assert {name: each.requests for name, each in found.items()} == dict.fromkeys(found, REQUEST)


async def test_each_way_gives_the_same_spans(tmp_path: Path) -> None:
    """Start-up file, wrapper, `run`, code before and after the application is made, and the explicit middleware."""
    agree(await all_recorded(WAYS, tmp_path))


@pytest.mark.parametrize("first", range(3), ids=lambda number: f"{number + 1} of 3")
async def test_two_ways_together_are_one(first: int, tmp_path: Path) -> None:
    """Every pair of ways gives what each of them gives."""
    agree(await all_recorded(PAIRS[first::3], tmp_path))


@pytest.mark.fault(
    "settings",
    theirs="Switched on in all ways at once",
    promise="The spans of one",
)
async def test_all_ways_together_are_one(tmp_path: Path) -> None:
    """All ways at once give what each of them gives."""
    agree(await all_recorded([ALL], tmp_path))


@pytest.mark.parametrize("way", BESIDE)
async def test_other_instrumentation_beside_it_doubles_nothing(way: str, tmp_path: Path) -> None:
    """FastAPI's instrumentor and the ASGI middleware, before and after, leave the sockets and share the requests."""
    agree(await all_recorded(BESIDE[way], tmp_path))


async def test_without_a_lifespan_the_first_socket_is_observed_once(tmp_path: Path) -> None:
    """It is what builds the stack: FastAPI's own telemetry and the ASGI middleware have seen it before."""
    for number, way in enumerate((STARTUP_FILE, *BESIDE["start-up file"])):
        folder = Folder(tmp_path / str(number))
        async with running(way, folder, arguments=("--lifespan", "off")) as server:
            await converse(server.port)
            # After SIGTERM nothing would flush.
            await asyncio.to_thread(server.stop, signal.SIGINT)
        assert Recorded.of(folder).conversation == CONVERSATION, way.name


async def test_requests_without_our_http_spans(tmp_path: Path) -> None:
    """With AILOOP_OTEL_HTTP=false a request has the span that others make of it, or none."""
    off = {**STARTUP_FILE.variables, "AILOOP_OTEL_HTTP": "false"}
    alone, beside = scripted("app", **off), scripted("fastapi app", **off)
    found = await all_recorded([alone, beside], tmp_path)
    assert [each.conversation for each in found.values()] == [CONVERSATION] * 2
    assert found[alone.name].requests == (REQUEST if HAS_OWN_TELEMETRY else [])
    assert found[beside.name].requests == REQUEST


async def test_requests_that_are_excluded_have_no_span(tmp_path: Path) -> None:
    """What OTEL_PYTHON_*_EXCLUDED_URLS takes from others is not given back by us."""
    variables = {**STARTUP_FILE.variables, "OTEL_PYTHON_FASTAPI_EXCLUDED_URLS": "health"}
    ways = [scripted("fastapi app", **variables), scripted("app fastapi_app", **variables)]
    if not HAS_OWN_TELEMETRY:
        ways.append(scripted("app", **STARTUP_FILE.variables, OTEL_PYTHON_EXCLUDED_URLS="health"))
    found = await all_recorded(ways, tmp_path)
    assert {name: each.requests for name, each in found.items()} == {way.name: [] for way in ways}


@pytest.mark.parametrize("way", [STARTUP_FILE, RUN, WRAPPER], ids=lambda way: way.name)
async def test_a_provider_of_the_users_own_is_used(way: Way, tmp_path: Path) -> None:
    """Spans go to the tracer provider that the application has set, and to no other."""
    theirs = tmp_path / "theirs"
    variables = {"PROVIDER_DIRECTORY": str(theirs), "OTEL_PYTHON_CONFIGURATOR": "none"}
    ours = await recorded(way + scripted("provider app"), tmp_path / "ours", **variables)
    assert ours.chat == ours.http == []
    agree({way.name: Recorded.of(Folder(theirs))})
    assert f'"stringValue":"{SERVICE}"' in Folder(theirs).text().replace(" ", "")


@pytest.mark.skipif(not HAS_OTHER_DISTRO, reason="opentelemetry-distro is not installed")
async def test_under_another_distro_its_exporters_are_used(tmp_path: Path) -> None:
    """opentelemetry-distro names OTLP where nothing is named; our files are there by their name."""
    way = Way(
        "other distro",
        {
            "OTEL_PYTHON_DISTRO": "distro",
            "OTEL_TRACES_EXPORTER": "ailoop_json_files",
            "OTEL_METRICS_EXPORTER": "none",
            "OTEL_LOGS_EXPORTER": "none",
        },
        WRAPPER.wrapper,
    )
    agree(await all_recorded([way], tmp_path))
