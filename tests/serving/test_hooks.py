"""Inside running servers: agents, model calls and tools in every trace, and failures that nobody swallows."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from ailoop_otel import names
from tests.ailoop.client import Client, connected
from tests.ailoop.process import Installation
from tests.serving.conftest import Serve, Share
from tests.serving.folder import Folder, Span

TOOL = (
    '[[tool name=list_directory arguments={"path": "."} delay=0.1 id=one]] [[say chunks=4 delay=0.2 gap=0.02 id=two]]'
)
CLIENT, INTERNAL = 3, 1


def tree(folder: Folder, root: Span) -> dict[str, list[Span]]:
    """The spans of a trace by the first word of their name, oldest first; each has its parent in the trace."""
    spans = [span for span in folder.spans() if span.trace == root.trace]
    known = {span.id for span in spans}
    assert all(span.parent in known for span in spans if span is not root and span.id != root.id)
    found: dict[str, list[Span]] = {}
    for span in spans:
        found.setdefault(span.name.split()[0], []).append(span)
    return found


async def last(client: Client, folder: Folder, message: str) -> Span:
    """Send a message and wait for its trace."""
    before = len(folder.spans("sendUserMessage"))
    await client.ask(message)
    return folder.exchanges(before + 1)[-1]


async def test_a_message_with_a_tool_call_is_one_tree(stateless: Installation, share: Share) -> None:
    """Agent below the message, both model calls and the tool below the agent, in order, with where the time went."""
    server, folder, _ = share(stateless)
    async with connected(server.port, server.dialect) as client:
        session = await client.start_session()
        root = await last(client, folder, TOOL)
    spans = tree(folder, root)
    (agent,), (first, second), (tool,) = spans["invoke_agent"], spans["chat"], spans["execute_tool"]
    assert agent.parent == root.id
    assert first.parent == second.parent == tool.parent == agent.id
    assert first.end <= tool.start
    assert tool.end <= second.start
    assert agent.attributes[names.GEN_AI_AGENT_NAME] == "a"
    assert tool.name == "execute_tool list_directory"
    assert {span.kind for span in (first, second)} == {CLIENT}
    assert first.attributes[names.GEN_AI_FINISH_REASONS]["values"][0]["stringValue"] == "tool_calls"
    assert second.attributes[names.GEN_AI_FINISH_REASONS]["values"][0]["stringValue"] == "stop"
    assert second.attributes[names.GEN_AI_OUTPUT_TOKENS] > 0
    assert second.attributes[names.HTTP_STATUS] == 200
    assert second.attributes[names.GEN_AI_FIRST_CHUNK] == pytest.approx(0.2, abs=0.15)
    assert all(span.attributes[names.SESSION_ID] == session for kind in spans.values() for span in kind)
    wait, stream = root.attributes[names.TIME_MODEL_WAIT], root.attributes[names.TIME_MODEL_STREAM]
    assert wait == pytest.approx(0.3, abs=0.2)
    assert stream >= 0.06
    parts = wait + stream + root.attributes[names.TIME_TOOLS] + root.attributes[names.TIME_SERVER]
    assert parts == pytest.approx(root.duration, abs=0.001)


async def test_the_model_call_is_below_the_message(delegates: Installation, share: Share) -> None:
    """In the earlier generation too, whose answers come from a task that startSession made."""
    server, folder, _ = share(delegates)
    async with connected(server.port, server.dialect) as client:
        await client.start_session()
        roots = [await last(client, folder, f"{n} [[say chunks=3]]") for n in range(2)]
    for root in roots:
        (chat,) = tree(folder, root)["chat"]
        assert chat.parent == root.id
        assert root.attributes[names.CORRELATION] == "server"


def counted(folder: Folder) -> Counter[str]:
    """The errors that are counted so far, by their type."""
    points = folder.points(names.METRIC_ERRORS.name)
    return Counter({point["labels"][names.ERROR_TYPE]: int(point["asInt"]) for point in points})


@pytest.mark.parametrize(
    ("directive", "error", "where", "outcome"),
    [
        ("[[fail status=500]]", "500", "chat", "ai_error"),
        ("[[fail status=429]]", "429", "chat", "ai_error"),
        ("[[fail status=401]]", "401", "chat", "ai_error"),
        ("[[drop]]", None, "chat", "ai_error"),
        ("[[error after=2]]", "502", "chat", "ai_error"),
        ("[[cut after=2 chunks=9]]", None, "chat", "cut"),
        ("[[tool name=no_such_tool]] [[say]]", "unknown_tool", "execute_tool", "ai_error"),
        (
            '[[tool name=list_directory arguments={"path": "nowhere"}]] [[say]]',
            "tool_error",
            "execute_tool",
            "ai_error",
        ),
    ],
)
@pytest.mark.fault(
    "provider",
    theirs="The provider answers 500 and the client is told `status: 0`",
    promise="An error on the model call and on the message, counted once",
)
async def test_a_failure_is_told_where_it_happened_and_on_the_message(
    stateless: Installation, share: Share, directive: str, error: str | None, where: str, outcome: str
) -> None:
    """With its own `error.type`, and counted once, though the client is told `status: 0`."""
    server, folder, _ = share(stateless, OTEL_METRIC_EXPORT_INTERVAL="100")
    before = counted(folder)
    async with connected(server.port, server.dialect) as client:
        await client.start_session()
        root = await last(client, folder, f"x {directive}")
        told = folder.wait(lambda folder: counted(folder) - before)
    (failed,) = [span for span in tree(folder, root)[where] if span.error]
    assert error is None or failed.attributes[names.ERROR_TYPE] == error
    assert root.error
    assert root.attributes[names.OUTCOME] == outcome
    assert root.attributes[names.ERROR_TYPE] == failed.attributes[names.ERROR_TYPE]
    assert told == {failed.attributes[names.ERROR_TYPE]: 1}


@pytest.mark.fault(
    "provider",
    theirs="The provider sends a chunk that is no JSON, and the server leaves it out",
    promise="The answer was delivered: the message ends `ok`, and the model call tells how many chunks were unread",
)
async def test_a_chunk_that_is_left_out_is_no_failure(stateless: Installation, share: Share) -> None:
    """It is counted on the model call."""
    server, folder, _ = share(stateless)
    async with connected(server.port, server.dialect) as client:
        await client.start_session()
        root = await last(client, folder, "x [[garbage after=1 chunks=3]]")
    (chat,) = tree(folder, root)["chat"]
    assert (root.error, chat.error) == (False, False)
    assert root.attributes[names.OUTCOME] == "ok"
    assert int(chat.attributes[names.MODEL_UNREAD]) == 1


@pytest.mark.fault(
    "foreign",
    theirs="A tool blocks the event loop",
    promise="It is named on its own message and on the others that it froze",
)
async def test_a_tool_that_blocks_is_named_on_whom_it_froze(stateless: Installation, share: Share) -> None:
    """On its own message and on another session's that was open meanwhile."""
    server, folder, _ = share(stateless)
    block = '[[tool name=execute_command arguments={"command": "sleep 1", "cwd": "."}]] [[say chunks=2]]'
    async with (
        connected(server.port, server.dialect) as blocker,
        connected(server.port, server.dialect) as victim,
    ):
        await blocker.start_session()
        await victim.start_session()
        frozen = await victim.send("x [[say chunks=30 gap=0.05]]")
        await frozen.started()
        await blocker.ask(block)
        await frozen.done()
        roots = folder.exchanges(2)
    for root in roots:
        assert root.attributes[names.BLOCKED_BY] == "execute_command"
        assert root.attributes[names.BLOCKED_TIME] == pytest.approx(1, abs=0.2)


async def test_many_sessions_at_once_are_kept_apart(installation: Installation, serve: Serve, folder: Folder) -> None:
    """32 sessions, slow, failing and tool-calling messages mixed: each span is in its own message's trace."""
    server = serve(installation, OTEL_BSP_MAX_QUEUE_SIZE="20000")
    current = server.dialect == "stateless"
    kinds = ["[[say chunks=3 delay=0.3 id={}]]", "[[fail status=500 id={}]]", "[[say chunks=12 gap=0.02 id={}]]"]
    if current:
        kinds.append('[[tool name=list_directory arguments={{"path": "."}} id={}]] [[say chunks=3 id={}]]')

    async def talk(number: int) -> None:
        async with connected(server.port, server.dialect) as client:
            session = await client.start_session()
            sessions[session] = number
            kind = kinds[number % len(kinds)]
            asked = await client.ask(f"x {kind.format(f'n{number}', f'n{number}')}", timeout=60)
            expected[session] = (kind, asked.text)

    sessions: dict[str, int] = {}
    expected: dict[str, tuple[str, str]] = {}
    await asyncio.gather(*(talk(number) for number in range(32)))
    server.stop()
    roots = folder.spans("sendUserMessage")
    assert len(roots) == 32
    assert "Failed to detach" not in server.output()
    for root in roots:
        session = root.attributes[names.SESSION_ID]
        spans = [span for kind in tree(folder, root).values() for span in kind]
        assert {span.attributes[names.SESSION_ID] for span in spans} == {session}
        count = Counter(span.name.split()[0] for span in spans)
        kind, text = expected[session]
        assert count["chat"] == (2 if "tool" in kind else 1)
        assert count["execute_tool"] == (1 if "tool" in kind else 0)
        assert root.error == ("fail" in kind)
        # The provider writes the id into its answer; the response's id is of the same request.
        assert f"n{sessions[session]}." in text or "fail" in kind


@pytest.mark.fault(
    "clients",
    theirs="Clients leave and the server stops in mid-answer",
    promise="Every span is ended; no complaint about contexts",
)
async def test_what_is_broken_off_leaves_nothing_behind(
    installation: Installation, serve: Serve, folder: Folder
) -> None:
    """A client that leaves, a server that stops in mid-answer: no complaint about contexts, every span ended."""
    server = serve(installation)
    async with connected(server.port, server.dialect) as client:
        await client.start_session()
        exchange = await client.send("x [[say chunks=20 gap=0.05]]")
        await exchange.started()
        client.drop()
    async with connected(server.port, server.dialect) as client:
        await client.start_session()
        exchange = await client.send("x [[say chunks=20 gap=0.05]]")
        await exchange.started()
        server.stop()
    assert "Failed to detach" not in server.output()
    assert "never retrieved" not in server.output()
    roots = folder.spans("sendUserMessage")
    assert len(roots) == 2
    if server.dialect == "stateless":
        assert len(folder.spans("invoke_agent a")) == 2
        assert len([span for span in folder.spans() if span.name.startswith("chat")]) == 2
