"""A server in which one function has another name: that hook alone is off, and it is said once."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from ailoop_otel import names
from tests.ailoop.client import connected
from tests.ailoop.process import Installation
from tests.serving.conftest import Serve
from tests.serving.folder import Folder

METHOD, RENAMED = "_stream_internal", "_stream_renamed"
# Of a real checkout: neither needed nor small.
LEFT_OUT = shutil.ignore_patterns(".git", "frontend", "node_modules", "logs", "output", "docs", "tests", "__pycache__")


def changed(installation: Installation, folder: Path) -> Installation:
    """A copy of a server's sources with a method renamed, so that the server itself works as before."""
    root = folder / "changed"
    shutil.copytree(installation.root, root, ignore=LEFT_OUT)
    for source in root.rglob("*.py"):
        text = source.read_text(encoding="utf-8")
        if METHOD in text:
            source.write_text(text.replace(METHOD, RENAMED), encoding="utf-8")
    return replace(installation, root=root)


@pytest.mark.fault(
    "foreign",
    theirs="A function of the server that we hook into is missing",
    promise="That hook is off; messages are recorded as ever",
)
async def test_a_missing_target_switches_off_its_hook_alone(
    stateless: Installation, serve: Serve, folder: Folder, tmp_path: Path
) -> None:
    """No model calls in the trace; agent, tool, first chunk and completion as ever."""
    server = serve(changed(stateless, tmp_path))
    async with connected(server.port, server.dialect) as client:
        await client.start_session()
        await client.ask('x [[tool name=list_directory arguments={"path": "."}]] [[say chunks=3]]')
        (root,) = folder.exchanges(1)
    found = {span.name.split()[0] for span in folder.spans() if span.trace == root.trace}
    assert found == {
        "sendUserMessage",
        names.SPAN_FIRST_CHUNK,
        names.SPAN_STREAM,
        names.SPAN_AGENT,
        names.SPAN_TOOL,
    }
    (line,) = [line for line in server.output().splitlines() if METHOD in line]
    assert "without model calls; the rest works" in line
