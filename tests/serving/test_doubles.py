"""Other instrumentation of the same calls, all at once: one span for each, its parent right."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from ailoop_otel import names
from tests.ailoop.client import connected
from tests.ailoop.process import Installation
from tests.ailoop.provider import Provider
from tests.serving.conftest import Serve
from tests.serving.folder import Folder
from tests.serving.test_hooks import CLIENT, TOOL, last, tree
from tests.switching.ways import WRAPPER

OTHERS = {name: f"opentelemetry.instrumentation.{name}" for name in ("fastapi", "requests", "threading", "urllib3")}


@pytest.fixture(params=[*OTHERS, "all"])
def others(request: pytest.FixtureRequest) -> str:
    """Which others are on, as `OTEL_PYTHON_DISABLED_INSTRUMENTATIONS` has the rest."""
    wanted = OTHERS if request.param == "all" else {request.param}
    missing = [name for name in wanted if not _installed(OTHERS[name])]
    if missing and request.param != "all":
        pytest.skip(f"opentelemetry-instrumentation-{missing[0]} is not installed")
    return ",".join(name for name in OTHERS if name not in wanted)


@pytest.fixture
def standin(installation: Installation, request: pytest.FixtureRequest) -> Installation:
    """The stand-ins only: nothing is installed beside a real one that its users may not have."""
    if request.node.get_closest_marker("real_ailoop"):
        pytest.skip("about what this environment has")
    return installation


async def test_a_model_call_is_one_span(
    standin: Installation, serve: Serve, folder: Folder, provider: Provider, others: str
) -> None:
    """Ours, below the agent or the message; threads carry the context on and nothing is doubled or lost."""
    server = serve(
        standin,
        wrapper=WRAPPER.wrapper,
        **WRAPPER.variables,
        OTEL_PYTHON_DISABLED_INSTRUMENTATIONS=others,
    )
    current = server.dialect == "stateless"
    async with connected(server.port, server.dialect) as client:
        await client.start_session()
        root = await last(client, folder, f"x {TOOL}" if current else "x [[say chunks=3]]")
    server.stop()
    spans = tree(folder, root)
    above = spans["invoke_agent"][0] if current else root
    assert len(spans["chat"]) == len(provider.served)
    assert {span.parent for span in spans["chat"]} == {above.id}
    assert [span.name for span in folder.spans() if span.kind == CLIENT] == [span.name for span in spans["chat"]]
    assert len(spans["sendUserMessage"]) == 1
    known = {"startSession", names.SPAN_SESSION_START, names.SPAN_SESSION}
    assert {span.name for span in folder.spans() if span.trace != root.trace} == known
    assert "Failed to detach" not in server.output()


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False
