"""Agents in the background, continuations, mail, and model calls that nobody listens to any more."""

from __future__ import annotations

from typing import Any

import pytest

from ailoop_otel import names
from tests.ailoop.client import Client, connected
from tests.ailoop.process import Installation
from tests.serving.conftest import Serve, Share
from tests.serving.folder import Folder, Span
from tests.serving.test_hooks import last, tree

AGENT = "invoke_agent Debbie the Debugger"
TOOL = '[[tool name=list_directory arguments={"path": "."}]] [[say chunks=2]]'
MAIL = '{"to_agent": "Debbie", "subject": "a secret", "body": "another"}'
CONTINUE = (
    '[[json value={"response": "part one", "continuation": {"status": "CONTINUE", "reason": "more"}} chunks=4]] '
    "[[say chunks=3]]"
)


async def agent(client: Client) -> dict[str, Any]:
    """Make a background agent, and return what names it."""
    named = {"sessionId": client.session, "agentId": "d"}
    assert (await client.call("async.createAgent", named))["result"]["success"]
    return named


def tasks(folder: Folder, count: int) -> list[Span]:
    """The background tasks' spans, waited for."""
    found: list[Span] = folder.wait(
        lambda folder: spans if len(spans := [s for s in folder.spans(AGENT) if not s.parent]) >= count else None, 15
    )
    return found


async def test_a_background_task_is_a_trace_of_its_own(stateless: Installation, share: Share) -> None:
    """Linked to its session's start and to the call that asked; its model calls and tools below it."""
    server, folder, _ = share(stateless)
    async with connected(server.port, server.dialect) as client:
        session = await client.start_session()
        named = await agent(client)
        await client.call("async.sendTask", named | {"prompt": f"one {TOOL}"})
        tasks(folder, 1)
        await client.call("async.sendTask", named | {"prompt": "two [[say chunks=2]]"})
        one, two = tasks(folder, 2)
        root = await last(client, folder, "x [[say chunks=2]]")
    (start,) = folder.spans(names.SPAN_SESSION_START)
    asked = folder.spans("async.sendTask")
    assert one.links == (start.id, asked[0].id)
    assert two.links == (start.id, asked[1].id)
    assert one.trace not in {two.trace, root.trace, start.trace, *(span.trace for span in asked)}
    assert {one.attributes[key] for key in (names.SESSION_ID, names.GEN_AI_CONVERSATION)} == {session}
    assert one.attributes[names.GEN_AI_AGENT_NAME] == "Debbie the Debugger"
    assert one.attributes[names.TASK_TYPE] == "direct"
    below = tree(folder, one)
    (tool,) = below["execute_tool"]
    assert {span.parent for span in (*below["chat"], tool)} == {one.id}
    assert {span.attributes[names.SESSION_ID] for spans in below.values() for span in spans} == {session}
    (chat,) = tree(folder, two)["chat"]
    assert chat.parent == two.id
    assert [span.name for span in folder.spans() if span.trace == root.trace].count("invoke_agent a") == 1
    assert not one.error
    assert not two.error


@pytest.mark.fault(
    "provider",
    theirs="The provider fails a background agent, of which no client is told",
    promise="The task's span is an error; no message is counted",
)
async def test_a_failed_background_task_is_an_error_and_no_exchange(
    stateless: Installation, serve: Serve, folder: Folder
) -> None:
    """The client is never told of it; `ailoop.errors` counts messages only."""
    server = serve(stateless, OTEL_METRIC_EXPORT_INTERVAL="300")
    async with connected(server.port, server.dialect) as client:
        await client.start_session()
        await client.call("async.sendTask", await agent(client) | {"prompt": "x [[fail status=500]]"})
        (task,) = tasks(folder, 1)
        duration = names.METRIC_MODEL_DURATION.name
        (point,) = folder.wait(lambda folder: folder.points(duration))
    (chat,) = tree(folder, task)["chat"]
    assert task.error
    assert chat.error
    assert task.attributes[names.ERROR_TYPE] == chat.attributes[names.ERROR_TYPE] == "500"
    assert point["labels"][names.ERROR_TYPE] == "500"
    assert folder.points(names.METRIC_ERRORS.name) == []
    assert folder.points(names.METRIC_EXCHANGE_DURATION.name) == []


async def test_a_stopped_background_agent_leaves_nothing_open(stateless: Installation, share: Share) -> None:
    """Its task ends as cancelled, the model call when the provider lets go, marked as abandoned."""
    server, folder, provider = share(stateless)
    async with connected(server.port, server.dialect) as client:
        await client.start_session()
        named = await agent(client)
        await client.call("async.sendTask", named | {"prompt": "x [[stall after=2 id=held]]"})
        provider.wait_for(1)
        await client.until(lambda frame: frame.method == "async.task.started")
        await client.call("async.stopAgent", named)
        (task,) = tasks(folder, 1)
        provider.release()
        (chat,) = folder.wait(lambda folder: [span for span in folder.spans() if span.name.startswith("chat")])
    assert task.attributes[names.ERROR_TYPE] == "cancelled"
    assert chat.parent == task.id
    assert chat.attributes[names.MODEL_ABANDONED] is True
    assert "Failed to detach" not in server.output()


async def test_a_continuation_is_another_round_of_the_same_agent(stateless: Installation, share: Share) -> None:
    """One span for the agent with two rounds, both model calls below it."""
    server, folder, _ = share(stateless)
    async with connected(server.port, server.dialect) as client:
        await client.start_session()
        root = await last(client, folder, f"x {CONTINUE}")
    spans = tree(folder, root)
    (agent,) = spans["invoke_agent"]
    assert agent.parent == root.id
    assert agent.attributes[names.AGENT_ROUNDS] == 2
    assert [span.parent for span in spans["chat"]] == [agent.id, agent.id]


async def test_an_agent_that_mails_another_waits_for_it(stateless: Installation, serve: Serve, folder: Folder) -> None:
    """The other agent's work is below its own; switches and mail are events, without a word of the mail."""
    server = serve(stateless)
    async with connected(server.port, server.dialect) as client:
        session = await client.start_session()
        root = await last(
            client, folder, f'x [[tool name=send_mail_with_switch text="mail sent" arguments={MAIL}]] [[say chunks=2]]'
        )
        folder.wait(lambda folder: folder.events(names.EVENT_MAIL_SENT))
        switches = folder.wait(
            lambda folder: found if len(found := folder.events(names.EVENT_AGENT_SWITCH)) >= 2 else None
        )
    spans = tree(folder, root)
    first, second = spans["invoke_agent"]
    assert (first.name, first.parent) == ("invoke_agent a", root.id)
    assert (second.name, second.parent) == (AGENT, first.id)
    assert {chat.parent for chat in spans["chat"]} == {first.id, second.id}
    assert [switch[names.GEN_AI_AGENT_NAME] for switch in switches][-2:] == ["Debbie the Debugger", "a"]
    (sent,) = folder.events(names.EVENT_MAIL_SENT)
    assert sent[names.MAIL_TO].lower() == "debbie"
    assert sent[names.MAIL_PRIORITY] == "normal"
    assert sent[names.SESSION_ID] == session
    assert "a secret" not in folder.text()


async def test_a_call_that_the_server_gave_up_is_abandoned(delegates: Installation, share: Share) -> None:
    """The earlier generation gives up after 10 s, the stand-in sooner, and lets its thread read on."""
    server, folder, provider = share(delegates, STANDIN_ANSWER_WITHIN="1")
    async with connected(server.port, server.dialect) as client:
        await client.start_session()
        exchange = await client.send("x [[stall after=2 keepalive=0.5]]")
        await exchange.done(20)
        root = folder.exchanges(1)[0]
        assert not [span for span in folder.spans() if span.name.startswith("chat")]
        provider.release()
        (chat,) = folder.wait(lambda folder: [span for span in folder.spans() if span.name.startswith("chat")])
    assert chat.trace == root.trace
    assert chat.attributes[names.MODEL_ABANDONED] is True
    assert chat.end > root.end
    assert "Failed to detach" not in server.output()


@pytest.mark.fault(
    "clients",
    theirs="A client leaves, and the server reads the answer to its end for nobody",
    promise="The model call is marked as abandoned",
)
async def test_a_call_whose_client_left_is_abandoned(installation: Installation, share: Share) -> None:
    """The server reads the answer to its end for nobody."""
    server, folder, provider = share(installation)
    async with connected(server.port, server.dialect) as client:
        await client.start_session()
        exchange = await client.send("x [[say chunks=30 gap=0.05]]")
        await exchange.started()
        client.drop()
    (chat,) = folder.wait(lambda folder: [span for span in folder.spans() if span.name.startswith("chat")])
    assert chat.attributes[names.MODEL_ABANDONED] is True
    assert not chat.error
    assert "Failed to detach" not in server.output()


async def test_empty_boxes_are_no_news(stateless: Installation, serve: Serve, folder: Folder) -> None:
    """A background agent looks for mail now and then; only what it finds is told, with its session."""
    server = serve(stateless, STANDIN_MAIL_EVERY="0.5")
    async with connected(server.port, server.dialect) as client:
        session = await client.start_session()
        await agent(client)
        await last(client, folder, f"x [[tool name=send_mail arguments={MAIL}]] [[say chunks=2]]")
        (read,) = folder.wait(lambda folder: folder.events(names.EVENT_MAIL_READ), 15)
    assert read[names.MAIL_COUNT] == 1
    assert read[names.SESSION_ID] == session
    assert len(folder.events(names.EVENT_MAIL_SENT)) == 1


pytestmark = pytest.mark.timeout(90)
