"""Content capture in running servers: off unless asked for, in the form that Jaeger reads, redacted and bounded."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from ailoop_otel import names
from tests.ailoop.client import connected
from tests.ailoop.process import Installation
from tests.ailoop.provider import Provider
from tests.serving.conftest import Serve, Share
from tests.serving.folder import Folder, Span

ON = {"OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "true"}
CONTENT = (
    names.GEN_AI_SYSTEM_INSTRUCTIONS,
    names.GEN_AI_INPUT_MESSAGES,
    names.GEN_AI_OUTPUT_MESSAGES,
    names.GEN_AI_TOOL_ARGUMENTS,
    names.GEN_AI_TOOL_RESULT,
)


def spans_of(folder: Folder, kind: str, count: int) -> list[Span]:
    """So many spans whose names begin with a word, waited for."""

    def found(folder: Folder) -> list[Span]:
        spans = [span for span in folder.spans() if span.name.split()[0] == kind]
        return spans if len(spans) >= count else []

    spans: list[Span] = folder.wait(found)
    assert len(spans) == count
    return spans


def messages(span: Span, name: str) -> list[dict[str, Any]]:
    """An attribute's messages, checked to be in the form of the conventions."""
    found: list[dict[str, Any]] = json.loads(span.attributes[name])
    for message in found:
        assert message["role"] in {"system", "user", "assistant", "tool"}
        for part in message["parts"]:
            assert part["type"] in {"text", "reasoning", "tool_call", "tool_call_response"}
    return found


def without_content(folder: Folder) -> bool:
    """Whether no span has any."""
    return not any(name in span.attributes for span in folder.spans() for name in CONTENT)


async def test_a_model_call_tells_what_was_said(installation: Installation, serve: Serve, folder: Folder) -> None:
    """Prompt, instructions and answer as messages; the key of the provider is nowhere."""
    server = serve(installation, **ON, OPENROUTER_API_KEY="canary-5d1c")
    async with connected(server.port, server.dialect) as client:
        await client.start_session()
        await client.ask('hello "you" [[say text="I am fine" reasoning=2]]')
        (chat,) = spans_of(folder, "chat", 1)
    (*_, asked) = messages(chat, names.GEN_AI_INPUT_MESSAGES)
    assert asked["role"] == "user"
    assert asked["parts"] == [{"type": "text", "content": 'hello "you" [[say text="I am fine" reasoning=2]]'}]
    (answer,) = messages(chat, names.GEN_AI_OUTPUT_MESSAGES)
    assert answer == {
        "role": "assistant",
        "parts": [{"type": "reasoning", "content": "r0 r1 "}, {"type": "text", "content": "I am fine"}],
    }
    if names.GEN_AI_SYSTEM_INSTRUCTIONS in chat.attributes:
        assert all(part["type"] == "text" for part in json.loads(chat.attributes[names.GEN_AI_SYSTEM_INSTRUCTIONS]))
    server.stop()
    assert "canary-5d1c" not in folder.text()


async def test_a_tool_tells_what_it_was_given_and_what_it_found(stateless: Installation, share: Share) -> None:
    """On its own span, on the model call that asked for it, and on the one that was told the result."""
    server, folder, _ = share(stateless, **ON)
    async with connected(server.port, server.dialect) as client:
        await client.start_session()
        await client.ask('x [[tool name=list_directory arguments={"path": "."}]] [[say text="so it is"]]')
        (tool,) = spans_of(folder, "execute_tool", 1)
        first, second = spans_of(folder, "chat", 2)
    assert json.loads(tool.attributes[names.GEN_AI_TOOL_ARGUMENTS]) == {"path": "."}
    assert tool.attributes[names.GEN_AI_TOOL_RESULT]
    (answer,) = messages(first, names.GEN_AI_OUTPUT_MESSAGES)
    (call,) = [part for part in answer["parts"] if part["type"] == "tool_call"]
    assert call["name"] == "list_directory"
    assert call["arguments"] == {"path": "."}
    parts = [part for message in messages(second, names.GEN_AI_INPUT_MESSAGES) for part in message["parts"]]
    (response,) = [part for part in parts if part["type"] == "tool_call_response"]
    assert response["id"] == call["id"]
    assert first.end <= tool.start
    assert tool.end <= second.start


async def test_an_error_body_is_never_content(installation: Installation, serve: Serve, folder: Folder) -> None:
    """What a provider says when it refuses or breaks off stays unsaid, though the prompt is told."""
    server = serve(installation, **ON)
    server_says = "canary-91ab"
    async with connected(server.port, server.dialect) as client:
        await client.start_session()
        client_says = f"x [[fail status=500 message={server_says}]]"
        await client.ask(client_says)
        (chat,) = spans_of(folder, "chat", 1)
    assert client_says in str(messages(chat, names.GEN_AI_INPUT_MESSAGES))
    assert names.GEN_AI_OUTPUT_MESSAGES not in chat.attributes
    server.stop()
    assert folder.text().count(server_says) == 1


@pytest.mark.fault(
    "clients",
    theirs="A prompt of 20 MB, with content captured",
    promise="The span is there with content of the allowed size, and says how large it was",
)
async def test_a_prompt_of_20_mb_arrives_cut(
    stateless: Installation, serve: Serve, folder: Folder, provider: Provider
) -> None:
    """The span is there, valid JSON within the limit, with the size that the prompt had."""
    server = serve(*larger(stateless), **ON)
    async with connected(server.port, server.dialect) as client:
        await client.start_session()
        provider.queue("say chunks=3")
        await client.ask("y" * 20_000_000, timeout=60)
        (chat,) = spans_of(folder, "chat", 1)
    assert len(chat.attributes[names.GEN_AI_INPUT_MESSAGES]) <= 16_384
    assert 20_000_000 <= chat.attributes[names.CONTENT_INPUT_SIZE] < 21_000_000
    assert "yyyy…" in str(messages(chat, names.GEN_AI_INPUT_MESSAGES))


def larger(installation: Installation) -> tuple[Any, ...]:
    """The installation and its arguments, made to take frames that its own entry point does not."""
    python, *rest = installation.command
    if "uvicorn" in rest:
        return installation, "--ws-max-size", "50000000"
    code = (
        "import functools, runpy, uvicorn; uvicorn.run = functools.partial(uvicorn.run, ws_max_size=50_000_000); "
        "runpy.run_module('interactive_server.main', run_name='__main__', alter_sys=True)"
    )
    return (dataclasses.replace(installation, command=(python, "-c", code, "--port")),)


async def test_a_hook_has_the_last_word(
    installation: Installation, serve: Serve, folder: Folder, tmp_path: Path
) -> None:
    """Nothing is exported that it has not seen."""
    (tmp_path / "my_redaction.py").write_text(
        "def hook(kind, text):\n    return text.replace('canary', f'<{kind}>')\n", encoding="utf-8"
    )
    server = serve(installation, **ON, AILOOP_OTEL_REDACT="my_redaction:hook", PYTHONPATH=str(tmp_path))
    async with connected(server.port, server.dialect) as client:
        await client.start_session()
        await client.ask('canary [[say text="the canary sings"]]')
        (chat,) = spans_of(folder, "chat", 1)
    assert "<input>" in chat.attributes[names.GEN_AI_INPUT_MESSAGES]
    (answer,) = messages(chat, names.GEN_AI_OUTPUT_MESSAGES)
    assert answer["parts"] == [{"type": "text", "content": "the <output> sings"}]
    server.stop()
    assert "canary" not in folder.text()


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("raise RuntimeError('broken')", "can't be used (RuntimeError)"),
        ("def hook(kind, text):\n    raise ValueError(text)", "raised ValueError"),
        ("def hook(kind, text):\n    return None", "returned no text"),
    ],
)
@pytest.mark.fault(
    "foreign",
    theirs="The redaction hook raises",
    promise="No content is recorded, one line says so, and the server answers",
)
async def test_a_broken_hook_lets_nothing_through(
    stateless: Installation,
    serve: Serve,
    folder: Folder,
    provider: Provider,
    tmp_path: Path,
    code: str,
    said: str,
) -> None:
    """No content, one line, and the server answers."""
    (tmp_path / "my_redaction.py").write_text(code, encoding="utf-8")
    server = serve(stateless, **ON, AILOOP_OTEL_REDACT="my_redaction:hook", PYTHONPATH=str(tmp_path))
    async with connected(server.port, server.dialect) as client:
        await client.start_session()
        for _ in range(2):
            provider.queue("say text=canary")
            exchange = await client.ask("canary")
            assert "canary" in exchange.text
        spans_of(folder, "chat", 2)
    server.stop()
    assert without_content(folder)
    assert "canary" not in folder.text()
    assert server.output().count(said) == 1


async def test_without_the_variable_nothing_is_kept(stateless: Installation, serve: Serve, folder: Folder) -> None:
    """Also where a hook is named."""
    server = serve(stateless, AILOOP_OTEL_REDACT="json:dumps")
    async with connected(server.port, server.dialect) as client:
        await client.start_session()
        await client.ask('x [[say text="canary"]]')
        spans_of(folder, "chat", 1)
    server.stop()
    assert without_content(folder)
