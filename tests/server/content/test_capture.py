"""Content as attributes: shape, size, redaction, and what must never be in it."""

from __future__ import annotations

import json
import sys
import types
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ailoop_otel import names
from ailoop_otel.guard import Guard
from ailoop_otel.server.content.attribute import MARGIN, Redact, Withheld
from ailoop_otel.server.content.capture import ContentCapture, ModelContent, capture
from ailoop_otel.server.content.truncation import WHOLE
from ailoop_otel.settings import Settings
from tests.server.content.test_truncation import VALUES

LIMIT = 1000


@pytest.fixture
def content() -> ContentCapture:
    """Content capture without a hook."""
    return made(None)


def made(redact: Redact | None, limit: int = LIMIT) -> ContentCapture:
    """Content capture with a hook."""
    return ContentCapture(limit, redact, Guard(strict=True))


def call_with(content: ContentCapture, *messages: Any) -> ModelContent:
    """A call with these messages."""
    call = content.model({"messages": list(messages), "api_key": "canary"})
    assert call is not None
    return call


def line(**delta: Any) -> bytes:
    """A line of the model's stream."""
    return b"data: " + json.dumps({"choices": [{"delta": delta}]}).encode()


@given(VALUES | st.binary() | st.sets(st.text()), st.integers(256, 2000))
def test_any_tool_result_is_recorded_within_the_limit(value: Any, limit: int) -> None:
    """As JSON, unless the tool returned plain text; its original size is there where it was cut."""
    result = made(None, limit).of_tool(None, value)
    if value is None:
        assert result == {}
        return
    assert len(result[names.GEN_AI_TOOL_RESULT]) <= limit
    result[names.GEN_AI_TOOL_RESULT].encode()
    if isinstance(value, (dict, list)):
        json.loads(result[names.GEN_AI_TOOL_RESULT])


@given(st.lists(st.text(max_size=2000), max_size=30), st.integers(256, 1000))
def test_messages_keep_their_shape_within_the_limit(texts: list[str], limit: int) -> None:
    """A list of messages made of parts, the newest among them."""
    content = made(None, limit)
    found = content.of_model(call_with(content, *({"role": "user", "content": text} for text in texts)))
    messages = json.loads(found[names.GEN_AI_INPUT_MESSAGES])
    assert len(found[names.GEN_AI_INPUT_MESSAGES]) <= limit
    assert all(message["role"] == "user" and isinstance(message["parts"], list) for message in messages)
    if names.CONTENT_INPUT_SIZE in found:
        assert found[names.CONTENT_INPUT_SIZE] == sum(map(len, texts))
    else:
        assert ["".join(part["content"] for part in message["parts"]) for message in messages] == texts


def test_a_conversation_is_recorded_as_jaeger_reads_it(content: ContentCapture) -> None:
    """Roles, parts, and the system's instructions apart."""
    call = call_with(
        content,
        {"role": "system", "content": "be kind"},
        {"role": "user", "content": [{"type": "text", "text": "look"}, {"type": "image_url", "image_url": "secret"}]},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "c1", "function": {"name": "ls", "arguments": '{"path": "."}'}}],
        },
        {"role": "tool", "tool_call_id": "c1", "content": '["a", "b"]'},
    )
    for each in (
        line(reasoning="hm "),
        line(content="do"),
        b": OPENROUTER PROCESSING",
        b"data: {broken",
        line(content="ne"),
        line(tool_calls=[{"index": 0, "id": "c2", "function": {"name": "cat", "arguments": '{"f"'}}]),
        line(tool_calls=[{"index": 0, "function": {"arguments": ": 1}"}}]),
        b"data: [DONE]",
    ):
        call.output.line(each)
    found = content.of_model(call)
    assert {name: json.loads(value) for name, value in found.items()} == {
        names.GEN_AI_SYSTEM_INSTRUCTIONS: [{"type": "text", "content": "be kind"}],
        names.GEN_AI_INPUT_MESSAGES: [
            {"role": "user", "parts": [{"type": "text", "content": "look"}, {"type": "blob", "modality": "image_url"}]},
            {
                "role": "assistant",
                "parts": [{"type": "tool_call", "id": "c1", "name": "ls", "arguments": {"path": "."}}],
            },
            {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": ["a", "b"]}]},
        ],
        names.GEN_AI_OUTPUT_MESSAGES: [
            {
                "role": "assistant",
                "parts": [
                    {"type": "reasoning", "content": "hm "},
                    {"type": "text", "content": "done"},
                    {"type": "tool_call", "id": "c2", "name": "cat", "arguments": {"f": 1}},
                ],
            }
        ],
    }


def test_no_more_of_an_answer_is_kept_than_can_be_recorded(content: ContentCapture) -> None:
    """Its size is known all the same."""
    call = call_with(content)
    for _ in range(40):
        call.output.line(line(content="x" * 50_000))
    assert call.output.missing() == 40 * 50_000 - WHOLE - 1
    assert content.of_model(call)[names.CONTENT_OUTPUT_SIZE] == 40 * 50_000


@pytest.mark.parametrize("odd", [None, 7, "messages", {"role": 3}, {"role": "tool"}, {"tool_calls": [None, 3]}])
def test_odd_messages_do_no_harm(content: ContentCapture, odd: Any) -> None:
    """Whatever a server puts there."""
    json.loads(content.of_model(call_with(content, odd))[names.GEN_AI_INPUT_MESSAGES])


def test_half_a_surrogate_pair_does_not_get_through(content: ContentCapture) -> None:
    """No exporter could encode it, and the whole batch would be lost."""
    found = content.of_tool('{"a": "\\ud83d"}', "x\ud83d\ude00y\ud83d")
    assert found[names.GEN_AI_TOOL_RESULT] == "x😀y�"
    assert json.loads(found[names.GEN_AI_TOOL_ARGUMENTS]) == {"a": "�"}


def test_the_hook_sees_all_and_its_answer_is_what_is_recorded() -> None:
    """Each text with its kind; of JSON the keys too."""
    seen: list[tuple[str, str]] = []

    def redact(kind: str, text: str) -> str:
        seen.append((kind, text))
        return text.replace("secret", "***")

    content = made(redact)
    call = call_with(content, {"role": "system", "content": "secret 1"}, {"role": "user", "content": "secret 2"})
    call.output.line(line(content="secret 3"))
    found = content.of_model(call) | content.of_tool('{"secret": 4}', {"secret": 5})
    assert "secret" not in str(found)
    assert "***" in found[names.GEN_AI_TOOL_ARGUMENTS]
    assert seen == [
        ("system", "secret 1"),
        ("input", "secret 2"),
        ("output", "secret 3"),
        ("tool_arguments", '{"secret": 4}'),
        ("tool_result", '{"secret": 5}'),
    ]


def test_roles_names_ids_and_types_go_through_the_hook() -> None:
    """A client or a provider may put any text there; the roles that the conventions know are left as they are."""
    call = {"id": "secret 1", "function": {"name": "secret 2", "arguments": "{}"}}
    messages = [
        {"role": "secret 3", "content": [{"type": "secret 4"}]},
        {"role": "tool", "tool_call_id": "secret 5" + "x" * 99, "content": "ok"},
        {"role": "assistant", "tool_calls": [call]},
    ]
    content = made(lambda kind, text: text.replace("secret", "***"))
    asked = call_with(content, *messages)
    asked.output.line(line(tool_calls=[call]))
    found = content.of_model(asked)
    assert "secret" not in str(found)
    (odd, tool, assistant) = json.loads(found[names.GEN_AI_INPUT_MESSAGES])
    assert (odd["role"], odd["parts"][0]["modality"]) == ("*** 3", "*** 4")
    assert (tool["role"], len(tool["parts"][0]["id"])) == ("tool", 64)
    assert assistant["parts"] == [{"type": "tool_call", "id": "*** 1", "name": "*** 2", "arguments": {}}]
    (output,) = json.loads(found[names.GEN_AI_OUTPUT_MESSAGES])
    assert output["parts"] == assistant["parts"]


@pytest.mark.parametrize("result", [str, lambda text: {"content": text}], ids=["text", "JSON"])
def test_a_secret_that_lies_on_the_edge_is_not_recorded_in_part(result: Any) -> None:
    """A text too long for the hook loses its end, though what is before it may have shrunk."""
    secret = "secret" * 100
    text = "-" * (WHOLE - 300) + secret + "x" * WHOLE

    def redact(kind: str, text: str) -> str:
        return text.replace("-", "").replace(secret, "***")

    found = made(redact, 100_000).of_tool(None, result(text))
    assert "secret" not in found[names.GEN_AI_TOOL_RESULT]
    assert found[names.CONTENT_TOOL_RESULT_SIZE] == len(text)
    assert len(secret) < MARGIN


def failing(kind: str, text: str) -> str:
    """A hook that raises, with the content in its exception."""
    raise ValueError(text)


def leaving(kind: str, text: str) -> str:
    """A hook that would end the process."""
    sys.exit(text)


def mute(kind: str, text: str) -> Any:
    """A hook that returns nothing."""


@pytest.mark.parametrize("hook", [failing, leaving, mute])
def test_a_hook_that_fails_withholds_everything(hook: Redact) -> None:
    """And names nothing of the content."""
    with pytest.raises(Withheld) as raised:
        made(hook).of_tool("canary", "canary")
    assert "canary" not in str(raised.value)
    assert names.SETTING_REDACT.name in str(raised.value)


@pytest.mark.parametrize("path", ["no_such_module:f", "json:no_such", "json", ":", "json:dumps.x", "sys:version"])
def test_a_hook_that_is_not_there_switches_content_off(path: str, caplog: pytest.LogCaptureFixture) -> None:
    """In one line."""
    assert capture(Settings(content=True, redact=path), Guard(strict=True)) is None
    assert len(caplog.messages) == 1
    assert path in caplog.messages[0]


def test_a_hook_is_found_by_its_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """`package.module:function`."""
    module = types.ModuleType("my_redaction")
    module.hook = lambda kind, text: kind  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "my_redaction", module)
    content = capture(Settings(content=True, redact="my_redaction:hook"), Guard(strict=True))
    assert content is not None
    assert content.of_tool("x", None) == {names.GEN_AI_TOOL_ARGUMENTS: "tool_arguments"}
    assert capture(Settings(), Guard(strict=True)) is None
