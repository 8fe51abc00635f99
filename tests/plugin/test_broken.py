"""A broken plugin is one clear line in the server's log; the server runs, and the other dialects go on."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from ailoop_otel import names
from tests.ailoop.client import connected as ailoop_connected
from tests.ailoop.process import Server
from tests.ailoop.provider import Provider
from tests.plugin.client import connected
from tests.plugin.environment import Environment, broken
from tests.serving.folder import Folder

START = "from ailoop_otel.protocol.dialect import *\n"
NAMED = """
class Theirs(Dialect):
    name = "theirs"
    message_method, start_method, stop_method = "chat.ask", "chat.open", "chat.close"
    session_key = "conversation"
"""
RAISES = "    def {}(self, *arguments):\n        raise LookupError(f'my secret {{arguments}}')\n"
BEFORE_IT_IS_USED = {
    "import": ("raise ImportError('no\\nsuch library')", "ImportError: no such library"),
    "exit": ("raise SystemExit(3)", "SystemExit: 3"),
    "attribute": (f"{START}{NAMED}    queues = 'yes'\n", "its `queues` has to be True or False"),
    "class": ("Theirs = dict", "dict is no subclass of ailoop_otel.protocol.dialect.Dialect"),
    "name": (f"{START}{NAMED.replace('theirs', 'stateless')}", "the name 'stateless' is taken"),
}


async def _converse(server: Server, folder: Folder) -> None:
    async with ailoop_connected(server.port) as client:
        await client.start_session()
        exchange = await client.ask("what time is it?")
        assert exchange.text == "w0 w1 w2"
    (span,) = await asyncio.to_thread(folder.exchanges, 1)
    assert span.attributes[names.OUTCOME] == "ok"
    assert span.attributes[names.DIALECT] == "stateless"
    assert names.TIME_TO_FIRST_CHUNK in span.attributes


def _lines(server: Server) -> list[str]:
    lines = [line for line in server.output().splitlines() if "ailoop-otel" in line or "Traceback" in line]
    return [line for line in lines if " observes " not in line]


def test_each_that_cannot_be_used_is_one_line(environment: Environment, tmp_path: Path) -> None:
    """It names the plugin, its package and the reason; AILoop's messages are recorded as without them."""
    for kind, (code, _) in BEFORE_IT_IS_USED.items():
        variables = broken(tmp_path / "theirs", f"ailoop_{kind}", code)
    folder = Folder(tmp_path / "telemetry")
    with Provider() as provider, environment.ailoop(folder.path, provider, **variables) as server:
        asyncio.run(_converse(server, folder))
        server.stop()
        lines = _lines(server)
    assert len(lines) == len(BEFORE_IT_IS_USED)
    for kind, (_, reason) in BEFORE_IT_IS_USED.items():
        assert any(f"the dialect 'ailoop_{kind}' of ailoop-{kind} is not used: {reason}" in line for line in lines)


@pytest.mark.fault(
    "foreign",
    theirs="A dialect plugin raises at every frame",
    promise="One line for each of its methods; messages are recorded as without it",
)
def test_one_that_raises_at_every_frame_is_one_line_a_method(environment: Environment, tmp_path: Path) -> None:
    """Without what the exception held; Parley's messages and AILoop's are recorded as without it."""
    methods = ("session_of", "notice", "reply")
    code = START + NAMED + "".join(RAISES.format(method) for method in methods)
    variables = broken(tmp_path / "theirs", "ailoop_theirs", code)
    folder = Folder(tmp_path / "telemetry")
    with environment.parley(folder.path, **variables) as server:
        asyncio.run(_parley(server, folder))
        server.stop()
        lines = _lines(server)
        assert "my secret" not in server.output()
    expected = [
        f"{method} of the dialect 'theirs' of ailoop-theirs raised LookupError in {method}:" for method in methods
    ]
    assert len(lines) == len(expected)
    assert all(any(each in line for line in lines) for each in expected)
    beside = Folder(tmp_path / "ailoop")
    with Provider() as provider, environment.ailoop(beside.path, provider, **variables) as server:
        asyncio.run(_converse(server, beside))
        server.stop()
        assert _lines(server) == []


async def _parley(server: Server, folder: Folder) -> None:
    async with connected(server.port) as client:
        seen = await client.ask("first=0.1 pieces=3")
    (span,) = await asyncio.to_thread(folder.wait, lambda folder: folder.spans("chat.ask"))
    assert span.attributes[names.DIALECT] == "parley"
    assert span.attributes[names.TIME_TO_FIRST_CHUNK] <= seen.first


def test_doctor_lists_plugins_and_says_why_one_is_not_used(environment: Environment, tmp_path: Path) -> None:
    """By name, distribution and methods; as trouble, with what to do."""
    variables = broken(tmp_path / "theirs", "ailoop_theirs", "raise ImportError('no such library')")
    done = environment.run("doctor", "--json", "--timeout", "1", cwd=tmp_path, **variables)
    assert done.returncode == 1
    findings = {each["subject"]: each for each in json.loads(done.stdout)["findings"]}
    parley = findings["parley"]
    assert (parley["level"], parley["group"]) == ("ok", "Dialects of other packages")
    assert "ailoop-otel-parley" in parley["sentence"]
    assert "chat.history" in parley["sentence"]
    assert findings["ailoop_theirs"]["level"] == "trouble"
    assert findings["ailoop_theirs"]["sentence"] == "of ailoop-theirs, not used: ImportError: no such library."
    assert "pip uninstall ailoop-theirs" in findings["ailoop_theirs"]["mend"]
