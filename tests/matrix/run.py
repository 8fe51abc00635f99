"""One cell: a server of these versions, a conversation with it, SIGTERM, and what must be true afterwards."""

from __future__ import annotations

import datetime
import json
import os
import re
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from ailoop_otel import names
from ailoop_otel.doctor.findings import PROBLEM
from tests.ailoop.client import connected
from tests.ailoop.exchanges import Exchange
from tests.ailoop.process import DELEGATES, STATELESS, Installation, Server, checkout, standin
from tests.ailoop.provider import Provider
from tests.ailoop.served import Served
from tests.benchmarks.environments import Environments, Unavailable, plain_variables, versions
from tests.doctor.conftest import complete
from tests.matrix.cells import RANGES, Cell
from tests.matrix.environments import python
from tests.reliability.results import WHOLE
from tests.serving.folder import Folder, Span
from tests.serving.test_exchanges import agrees
from tests.starts.run import MESSAGE, end, lived, problems, said

_SAY = "say chunks=4 delay=0.1 gap=0.02"
# How the provider answers each message, and what the message leaves behind. The earlier generation has no agents, and
# its tools never worked.
_TALKS: dict[str, tuple[tuple[tuple[str, ...], Counter[str]], ...]] = {
    STATELESS: (
        ((_SAY,), MESSAGE),
        (('tool name=list_directory arguments={"path": "."}', _SAY), MESSAGE + Counter({"chat": 1, "execute_tool": 1})),
    ),
    DELEGATES: (((_SAY,), MESSAGE - Counter({"invoke_agent": 1})),) * 2,
}
_METRICS = (names.METRIC_FIRST_CHUNK.name, names.METRIC_EXCHANGE_DURATION.name)
_OURS = re.compile(r"ailoop[-_]otel|opentelemetry", re.IGNORECASE)
# At the start one line says what is on.
_NO_WARNING = re.compile(r"\b(?:DEBUG|INFO)\b| observes AILoop")
_DISTRIBUTIONS = (
    *("fastapi", "starlette", "uvicorn", "websockets", "wsproto", "requests", "pydantic", "mcp", "fastmcp"),
    *(each.name for each in RANGES),
)
_TIMEOUT = 120.0
# Folders of this machine.
_PLACE = re.compile(r"(?:/[\w.+-]+)+/")


def tried(cell: Cell, provider: Provider, environments: Environments) -> dict[str, Any] | None:
    """What came of a cell, for the table; None if its server is not here."""
    root = root_of(cell)
    if root is None:
        return None
    date = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
    about = {"group": cell.group, "cell": cell.title, "python": cell.python.removeprefix("python"), "date": date}
    try:
        made = _installed((*map(str, RANGES), *cell.requirements, *_of_checkout(cell, root)), cell.python, environments)
    except Unavailable as reason:
        return {**about, "shown": [], "installed": {}, "result": str(reason)}
    found = {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in versions(made).items()}
    installed = {name: found[name] for name in _DISTRIBUTIONS if name in found}
    about |= {"shown": [name for name in cell.shown if name in installed], "installed": installed}
    with tempfile.TemporaryDirectory() as folder:
        row = {**about, **_run(cell, root, made, provider, Path(folder))}
    return {**row, "result": _PLACE.sub("…/", row["result"])}


def root_of(cell: Cell) -> Path | None:
    """The folder of the cell's server: the stand-in's, or that of the checkout that AILOOP_CHECKOUT names."""
    if not cell.real:
        return standin(cell.dialect).root
    paths = filter(None, os.environ.get("AILOOP_CHECKOUT", "").split(os.pathsep))
    return next((Path(path) for path in paths if checkout(path).dialect == cell.dialect), None)


def _of_checkout(cell: Cell, root: Path) -> Iterator[str]:
    if cell.real:
        for line in (root / "requirements.txt").read_text(encoding="utf-8").splitlines():
            if requirement := line.partition("#")[0].strip():
                yield requirement


@cache
def _installed(requirements: tuple[str, ...], interpreter: str, environments: Environments) -> Path:
    made = python(requirements, interpreter)
    environments.install(made)
    return made


def _run(cell: Cell, root: Path, made: Path, provider: Provider, folder: Path) -> dict[str, Any]:
    variables = {
        **(provider.environment() if cell.real else provider.plain_environment()),
        "HOME": str(folder),
        "AILOOP_OTEL_ENABLED": "true",
        "AILOOP_OTEL_DIRECTORY": str(folder / "telemetry"),
    }
    conversation = Conversation(provider)
    server = Server(_started(cell, root, made), variables)
    try:
        code, _ = lived(server, conversation)
    except Exception as fault:  # noqa: BLE001 - whatever it is, it is what the cell shows
        wrong = _reason(fault, server)
        alone = _alone(cell, root, made, provider, {**variables, "AILOOP_OTEL_ENABLED": "false"})
        # Of what a library says at length, the first sentence.
        result = f"the server fails without the package too: {alone.split('. ')[0]}" if alone else wrong
        return {"result": result, "output": end(server)}
    recorded = Folder(folder / "telemetry")
    found = [
        *problems(recorded.spans(), code, [left for _, left in _TALKS[cell.dialect]]),
        *orphans(recorded.spans()),
        *conversation.disagreements(recorded.spans("sendUserMessage")),
        *_unmeasured(recorded, len(_TALKS[cell.dialect])),
        *warnings(server.output()),
        *_commands(made, root if cell.real else complete(cell.dialect, folder / "copy"), variables),
    ]
    return {
        "spans": len(recorded.spans()),
        "exit": code,
        "result": "; ".join(found) or WHOLE,
        **({"output": end(server)} if found else {}),
    }


def _started(cell: Cell, root: Path, made: Path) -> Installation:
    if cell.arguments:
        return Installation(root, cell.dialect, (str(made), *cell.arguments))
    return checkout(root, str(made)) if cell.real else standin(cell.dialect, str(made))


class Conversation:
    """A few messages, each answered by the provider as planned; called with the server to talk with."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._held: list[tuple[Exchange, list[Served]]] = []

    async def __call__(self, server: Server) -> None:
        """Hold it; raises AssertionError if a message is not answered."""
        self._provider.forget()
        async with connected(server.port, server.dialect) as client:
            await client.start_session()
            for answers, _ in _TALKS[server.dialect]:
                before = len(self._provider.served)
                self._provider.queue(*answers)
                exchange = await client.ask("hello", timeout=_TIMEOUT)
                assert exchange.text, f"no answer but {exchange.response}"
                self._held.append((exchange, self._provider.served[before:]))

    def disagreements(self, roots: Sequence[Span]) -> Iterator[str]:
        """The messages whose first chunk and completion the client saw at another time than the server."""
        for root, (exchange, answers) in zip(roots, self._held, strict=False):
            if not _agree(root, exchange, answers):
                yield f"complete after {root.duration:.3f} s, for the client after {exchange.seconds:.3f} s"


def _agree(root: Span, exchange: Exchange, answers: Sequence[Served]) -> bool:
    try:
        agrees(root, exchange, answers)
    except AssertionError:
        return False
    return True


def _alone(cell: Cell, root: Path, made: Path, provider: Provider, variables: Mapping[str, str]) -> str:
    """Why the server fails with the package switched off; empty if it does not."""
    server = Server(_started(cell, root, made), variables)
    try:
        lived(server, Conversation(provider))
    except Exception as fault:  # noqa: BLE001 - as above
        return _reason(fault, server)
    return ""


def _reason(fault: Exception, server: Server) -> str:
    """The exception that a server which did not start ended with, else the one that was raised here."""
    raised = [line for line in server.output().splitlines() if re.match(r"[\w.]+(?:Error|Exception)\b", line)]
    return raised[-1] if raised and "never accepted" in str(fault) else said(fault)


def orphans(spans: Sequence[Span]) -> Iterator[str]:
    """The spans of messages whose parent was not exported."""
    known = {span.id for span in spans}
    traces = {span.trace for span in spans if span.name == "sendUserMessage"}
    for span in spans:
        if span.trace in traces and span.parent and span.parent not in known:
            yield f"{span.name} has no parent"


def _unmeasured(recorded: Folder, messages: int) -> Iterator[str]:
    for name in _METRICS:
        count = sum(int(point["count"]) for point in recorded.points(name))
        if count != messages:
            yield f"{name} has {count} of {messages}"


def warnings(output: str) -> Iterator[str]:
    """The lines of this package and of OpenTelemetry in a server's output, but those that say what is on."""
    for line in output.splitlines():
        # A traceback of the server's own may lead through our files: its lines are indented.
        if _OURS.search(line) and not _NO_WARNING.search(line) and not line[:1].isspace():
            yield f"it says: {line.strip()}"


def _commands(made: Path, place: Path, variables: Mapping[str, str]) -> Iterator[str]:
    """What `doctor` finds wrong in the server's environment, and whether the commands work."""
    environment = {**plain_variables(), **variables}

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [str(made.with_name("ailoop-otel")), *words]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=_TIMEOUT)

    for words in (("--help",), ("traces", str(variables["AILOOP_OTEL_DIRECTORY"]))):
        done = run(*words)
        if done.returncode:
            yield f"{words[0]}: {_last(done)}"
    done = run("doctor", "--json", "--checkout", str(place))
    try:
        findings = json.loads(done.stdout)["findings"]
    except ValueError:
        yield f"doctor: {_last(done)}"
        return
    for finding in findings:
        if finding["level"] == PROBLEM:
            yield f"doctor: {finding['subject']} {finding['sentence']}"


def _last(done: subprocess.CompletedProcess[str]) -> str:
    return (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
