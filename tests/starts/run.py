"""One cell: a server is started in its way, two messages are sent, SIGTERM, and what was recorded is looked at."""

from __future__ import annotations

import asyncio
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from ailoop_otel import names
from tests.ailoop.client import connected
from tests.ailoop.process import STATELESS, Installation, Server, free_port, standin
from tests.ailoop.provider import Provider
from tests.benchmarks.environments import Environments
from tests.reliability.results import WHOLE
from tests.serving.folder import Folder, Span
from tests.starts.cells import Cell
from tests.starts.environments import Unavailable, python, version
from tests.starts.receiver import Received

MESSAGES = 2
# What one message leaves behind, and what one session does.
MESSAGE = Counter({"sendUserMessage": 1, names.SPAN_FIRST_CHUNK: 1, names.SPAN_STREAM: 1, "invoke_agent": 1, "chat": 1})
SESSION = Counter({"startSession": 1, names.SPAN_SESSION_START: 1, names.SPAN_SESSION: 1})
ENDS = (0, -signal.SIGTERM, 128 + signal.SIGTERM)
_PROGRAMS = Path(__file__).parent / "programs"


def tried(cell: Cell, provider: Provider, environments: Environments) -> dict[str, Any]:
    """What came of a cell, for the table."""
    about = {"group": cell.group, "start": cell.title, "python": cell.python.removeprefix("python"), "note": cell.note}
    try:
        made = _installed(cell.requirements, cell.python, environments)
    except Unavailable as reason:
        return {**about, "versions": "", "result": f"not tried: {reason}"}
    versions = ", ".join(f"{package} {version(made, package)}" for package in cell.packages)
    with tempfile.TemporaryDirectory() as folder, Received() as received:
        return {**about, "versions": versions, **_run(cell, made, provider, Path(folder), received)}


@cache
def _installed(requirements: str, interpreter: str, environments: Environments) -> Path:
    made = python(requirements, interpreter)
    environments.install(made)
    return made


def _run(cell: Cell, made: Path, provider: Provider, folder: Path, received: Received) -> dict[str, Any]:
    told = {"{programs}": str(_PROGRAMS), "{dead}": str(free_port()), "{receiver}": received.url}

    def filled(text: str) -> str:
        for name, value in told.items():
            text = text.replace(name, value)
        return text

    root = standin(STATELESS).root
    wrapper = [str(made.with_name(cell.wrapper[0])), *cell.wrapper[1:]] if cell.wrapper else []
    variables = {
        **provider.plain_environment(),
        "AILOOP_OTEL_ENABLED": "true",
        "AILOOP_OTEL_DIRECTORY": str(folder / "telemetry"),
        "PYTHONPATH": str(root),
        "HOME": str(folder),
        **{name: filled(value) for name, value in cell.variables.items()},
    }
    installation = Installation(root, STATELESS, (str(made), *map(filled, cell.arguments)))
    server = Server(installation, variables, wrapper=wrapper)
    try:
        code, took = lived(server, _talk)
    except Exception as fault:  # noqa: BLE001 - whatever it is, it is what the cell shows
        return {"result": said(fault), "output": end(server)}
    spans = Folder(folder / "telemetry").spans() + received.spans()
    found = problems(spans, code)
    lines = [line for line in server.output().splitlines() if "ailoop-otel" in line]
    return {
        "spans": len(spans),
        "exit": code,
        "seconds_to_stop": round(took, 1),
        "lines": lines,
        "result": "; ".join(found) or WHOLE,
        **({"output": end(server)} if found else {}),
    }


def lived(server: Server, talk: Callable[[Server], Coroutine[Any, Any, None]]) -> tuple[int, float]:
    """Start a server, talk with it, SIGTERM: its exit code and how many seconds its end took.

    What goes wrong is raised, and the server is gone then.
    """
    try:
        server.start()
        asyncio.run(talk(server))
        begun = time.monotonic()
        code = server.stop(signal.SIGTERM, timeout=30)
    except BaseException:
        server.kill()
        raise
    return code, time.monotonic() - begun


def said(fault: Exception) -> str:
    """An exception in one line."""
    return f"{type(fault).__name__}: {(str(fault).splitlines() or [''])[0]}"


async def _talk(server: Server) -> None:
    async with connected(server.port) as client:
        await client.start_session()
        for _ in range(MESSAGES):
            exchange = await client.ask("x [[say chunks=4 gap=0.01]]")
            assert exchange.text


def problems(spans: list[Span], code: int, messages: Sequence[Counter[str]] = (MESSAGE,) * MESSAGES) -> list[str]:
    """What is not as it should be, in words; `messages` are what each of them should leave behind."""
    ours = [span for span in spans if any(_kind(span) in kinds for kinds in (*messages, SESSION))]
    roots = [span for span in ours if span.name == "sendUserMessage"]
    problems = []
    if len(roots) != len(messages):
        problems.append(f"{len(roots)} messages of {len(messages)}")
    for root, wanted in zip(roots, messages, strict=False):
        if root.attributes.get(names.OUTCOME) != "ok":
            problems.append(f"a message is {root.attributes.get(names.OUTCOME)}")
        below = Counter(_kind(span) for span in ours if span.trace == root.trace)
        if below != wanted:
            problems.append(_difference(below, wanted))
    others = Counter(_kind(span) for span in ours if span.trace not in {root.trace for root in roots})
    if others != SESSION:
        problems.append(_difference(others, SESSION))
    if code not in ENDS:
        problems.append(f"exit code {code}")
    return problems


def _kind(span: Span) -> str:
    return span.name.split()[0]


def _difference(found: Counter[str], wanted: Counter[str]) -> str:
    differing = sorted({*found, *wanted}, key=str)
    return ", ".join(f"{found[name]} × {name}" for name in differing if found[name] != wanted[name])


def end(server: Server) -> str:
    """The last of what a server wrote."""
    return server.output()[-3000:]
