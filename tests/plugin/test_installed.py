"""The plugin beside the wheel: an unknown server gets all that AILoop gets."""

from __future__ import annotations

import asyncio
import json
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ailoop_otel import names
from ailoop_otel.measure.results import definitions, storage
from ailoop_otel.measure.statistics.percentiles import summarise
from tests.plugin.client import Seen, connected
from tests.plugin.environment import Environment, plain
from tests.serving.folder import SERVER, Folder, Span

MESSAGE = "chat.ask"
QUICK = ["--set", "warmup=0", "--set", "opening=200", "--set", "arrivals=constant", "--set", "duration=1.5"]


@dataclass(frozen=True)
class Spoken:
    """A conversation, as its client and as the telemetry have it."""

    folder: Folder
    conversation: str
    seen: dict[str, Seen]
    log: str

    def exchange(self, number: int) -> Span:
        """The root span of a message, by its order."""
        return [span for span in self.folder.spans(MESSAGE) if span.kind == SERVER][number]

    def below(self, span: Span, name: str) -> list[Span]:
        """The children of a span that have a name."""
        return [each for each in self.folder.spans(name) if each.parent == span.id]


async def _talk(port: int, folder: Folder) -> tuple[str, dict[str, Seen]]:
    async with connected(port) as client:
        await client.call("chat.history", conversation=client.conversation)
        await client.call("chat.rename", conversation=client.conversation, title="my secret")
        seen = {"whole": await client.ask("first=0.3 gap=0.1 pieces=5")}
        seen["failed"] = await client.ask("end=failed")
        seen["timeout"] = await client.ask("end=timeout")
        seen["error"] = await client.ask("end=error")
        await client.start("end=hang")
        # Detected while it hangs, before the conversation is closed.
        await asyncio.to_thread(folder.wait, lambda folder: len(folder.spans(names.SPAN_AI_TIMEOUT)) == 2, 20)
        await client.call("chat.close", conversation=client.conversation)
        return client.conversation, seen


@pytest.fixture(scope="module")
def spoken(environment: Environment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spoken]:
    """One conversation with Parley, and the server stopped."""
    path = tmp_path_factory.mktemp("telemetry")
    folder = Folder(path)
    with environment.parley(path, AILOOP_OTEL_AI_TIMEOUT_FIRST_CHUNK="1") as server:
        conversation, seen = asyncio.run(_talk(server.port, folder))
        server.stop()
        yield Spoken(folder, conversation, seen, server.output())


def test_each_message_is_one_root_span_named_by_its_method(spoken: Spoken) -> None:
    """All of this server's methods are labels, and no other is."""
    exchanges = [span for span in spoken.folder.spans(MESSAGE) if span.kind == SERVER]
    assert len(exchanges) == 5
    assert {span.attributes[names.RPC_METHOD] for span in exchanges} == {MESSAGE}
    assert {span.attributes[names.DIALECT] for span in exchanges} == {"parley"}
    assert {span.parent for span in exchanges} == {""}
    outcomes = [span.attributes[names.OUTCOME] for span in exchanges]
    assert outcomes == ["ok", "ai_error", "ai_timeout", "server_error", "cancelled"]
    labels = {point["labels"][names.RPC_METHOD] for point in spoken.folder.points("rpc.server.call.duration")}
    assert labels == {"chat.open", "chat.ask", "chat.close", "chat.history", names.OTHER}
    assert "my secret" not in spoken.folder.text()


def test_first_chunk_and_completion_are_the_clients(spoken: Spoken) -> None:
    """The server's figures are within what the script says and what the client saw."""
    span, seen = spoken.exchange(0), spoken.seen["whole"]
    assert 0.3 <= span.attributes[names.TIME_TO_FIRST_CHUNK] <= seen.first
    assert 0.7 <= span.duration <= seen.completion
    (first,) = spoken.below(span, names.SPAN_FIRST_CHUNK)
    assert first.duration == pytest.approx(span.attributes[names.TIME_TO_FIRST_CHUNK], abs=1e-6)
    (stream,) = spoken.below(span, names.SPAN_STREAM)
    assert span.attributes[names.STREAM_CHUNKS] == stream.attributes[names.STREAM_CHUNKS] == len(seen.pieces) == 5
    text = "".join(seen.pieces)
    assert span.attributes[names.ANSWER_SIZE] == len(json.dumps(text, ensure_ascii=False)) - 2
    assert 0.1 <= stream.attributes[names.STREAM_MAX_GAP] <= seen.completion - seen.first
    assert names.UNREAD_FRAMES not in span.attributes


def test_a_message_that_hangs_is_an_ai_timeout_while_it_hangs(spoken: Spoken) -> None:
    """By the deadline for the first chunk; what the server itself gave up is one by its own notice."""
    (noticed,) = spoken.below(spoken.exchange(4), names.SPAN_AI_TIMEOUT)
    assert noticed.attributes[names.TIMEOUT_PHASE] == "first_chunk"
    (announced,) = spoken.below(spoken.exchange(2), names.SPAN_AI_TIMEOUT)
    assert announced.attributes[names.TIMEOUT_PHASE] == "total"
    assert spoken.exchange(1).error


def test_a_conversation_is_a_session(spoken: Spoken) -> None:
    """From `chat.open` to `chat.close`, and each of its messages names it."""
    (session,) = spoken.folder.spans(names.SPAN_SESSION)
    assert session.attributes[names.SESSION_ID] == spoken.conversation
    assert session.attributes[names.SESSION_END_REASON] == "stopped"
    assert session.attributes[names.SESSION_TURNS] == 5
    exchanges = [spoken.exchange(number) for number in range(5)]
    assert {span.attributes[names.SESSION_ID] for span in exchanges} == {spoken.conversation}


def test_nothing_is_logged_about_it(spoken: Spoken) -> None:
    """No fault, no frame of an unknown form: only that it is switched on."""
    (line,) = [line for line in spoken.log.splitlines() if "ailoop-otel" in line]
    assert "observes a server" in line


def test_traces_shows_them(spoken: Spoken, environment: Environment, tmp_path: Path) -> None:
    """In the terminal and for scripts."""
    shown = environment.run("traces", str(spoken.folder.path), cwd=tmp_path)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert spoken.conversation[:8] in shown.stdout
    assert "ai_timeout" in shown.stdout
    lines = environment.run("traces", str(spoken.folder.path), "--json", cwd=tmp_path).stdout.splitlines()
    kinds = [json.loads(line) for line in lines]
    assert sum(each.get("kind") == "exchange" for each in kinds) == 5


def test_measure_reports_a_load_with_right_figures(environment: Environment, tmp_path: Path) -> None:
    """Client and server agree, message by message."""
    server = environment.parley(tmp_path / "unused")
    command = shlex.join([*server.installation.command, str(server.port)])
    done = environment.run(
        "measure", "mixed", "--dialect", "parley", "--url", f"ws://127.0.0.1:{server.port}/parley",
        "--start", command, "--out", "run", *QUICK, "--set", "sessions=10", "--set", "rate=20",
        "--message", "first=0.2 gap=0.05 pieces=4",
        cwd=tmp_path, PYTHONPATH=str(server.installation.root),
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    run = storage.load(tmp_path / "run")
    assert run.context.server["dialect"] == "parley"
    assert run.context.settings["dialect"] == "parley"
    first, completion = (summarise(run, each) for each in (definitions.FIRST_CHUNK, definitions.COMPLETION))
    inside = summarise(run, definitions.SERVER_FIRST_CHUNK)
    assert first.n == inside.n == completion.n == pytest.approx(30, abs=1)
    assert first.failures == 0
    assert 0.2 <= inside.p50 <= first.p50
    assert completion.p50 >= 0.35
    gap = summarise(run, definitions.CHUNK_GAP)
    assert gap.n == 3 * first.n
    traces = {row.trace_id for row in run.of(definitions.SERVER_FIRST_CHUNK)}
    assert traces == {row.trace_id for row in run.of(definitions.FIRST_CHUNK)}


TESTS = """
def test_answers(ailoop):
    with ailoop.connect("{url}", dialect="parley") as chat:
        answer = chat.ask("first=0.2 gap=0.05 pieces=4")
        assert answer.ok and answer.chunks == 4
        assert 0.2 <= answer.first_chunk < answer.completion

def test_mistaken(ailoop):
    ailoop.connect("{url}", dialect="parly")
"""


def test_the_pytest_plugin_talks_to_it(environment: Environment, tmp_path: Path) -> None:
    """By the dialect's name; a wrong one fails the test with the same line."""
    with environment.parley(tmp_path / "telemetry") as server:
        url = f"ws://127.0.0.1:{server.port}/parley"
        (tmp_path / "test_parley.py").write_text(TESTS.replace("{url}", url))
        done = _pytest(environment, tmp_path)
    assert "1 failed, 1 passed" in done
    assert "parly is no dialect; there are stateless, delegates, parley." in done


def _pytest(environment: Environment, folder: Path) -> str:
    words = [str(environment.python), "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(words, cwd=folder, env=plain(), capture_output=True, text=True, timeout=120, check=False)
    return done.stdout
