"""What Jaeger's page makes of our spans, by the rules of its source, of which jaeger_ui.json has the facts."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from ailoop_otel import names
from collector.stack import Stack
from tests.ailoop.process import STATELESS, serving, standin
from tests.ailoop.provider import Provider
from tests.serving.billed import converse, messages_to
from tests.stack.backends import Jaeger, Span, eventually
from tests.stack.traffic import environment

FACTS: dict[str, Any] = json.loads((Path(__file__).parent / "jaeger_ui.json").read_text(encoding="utf-8"))
SERVICE = "ailoop-genai-view"
# Shown in a closed list below the sections. Of the cache, Jaeger knows the name of an older release only.
OTHER = {
    names.GEN_AI_OPERATION, names.GEN_AI_CONVERSATION, names.GEN_AI_STREAM, names.GEN_AI_TEMPERATURE,
    names.GEN_AI_MAX_TOKENS, names.GEN_AI_FINISH_REASONS, names.GEN_AI_RESPONSE_ID, names.GEN_AI_FIRST_CHUNK,
    names.GEN_AI_CACHE_WRITE, names.GEN_AI_TOOL_TYPE, names.GEN_AI_REASONING_LEVEL,
}  # fmt: skip


@pytest.fixture(scope="module")
def trace(stack: Stack, provider: Provider, traces: Jaeger) -> dict[str, list[Span]]:
    """The spans of an agent's work with a tool call, and of the message that tells of cached tokens, by operation."""
    variables = environment(stack.ports.otlp, SERVICE, **{names.SETTING_CONTENT.name: "true"})
    with serving(standin(STATELESS), provider.plain_environment() | variables) as server:
        asyncio.run(converse(server, provider, messages_to(STATELESS)))

    def found() -> dict[str, list[Span]]:
        spans: dict[str, list[Span]] = {}
        for span in (span for trace in traces.search(SERVICE) for span in trace):
            spans.setdefault(span.name.split()[0], []).append(span)
        return spans

    return eventually(found, lambda spans: names.SPAN_SESSION in spans)


def kind(span: Span) -> str | None:
    """What a span is in the page: by its operation, else unknown where it has any name of GenAI."""
    if (operation := span.attributes.get("gen_ai.operation.name")) is not None:
        return str(FACTS["kinds"].get(operation, "UNKNOWN_GENAI"))
    return "UNKNOWN_GENAI" if any(name.startswith("gen_ai.") for name in span.attributes) else None


def sections(span: Span) -> dict[str, set[str]]:
    """The sections of a span's GenAI tab, with the attributes that each reads."""
    found = {title: set(read) & set(span.attributes) for title, read in FACTS["sections"].items()}
    return {title: read for title, read in found.items() if read}


def test_spans_are_of_the_right_kind(trace: dict[str, list[Span]]) -> None:
    """Model calls, agents and tools have their icons; a message, its stages and a session are none of GenAI."""
    kinds = {name: {kind(span) for span in spans} for name, spans in trace.items()}
    assert kinds.pop(names.SPAN_MODEL) == {"LLM_CALL"}
    assert kinds.pop(names.SPAN_AGENT) == {"AGENT"}
    assert kinds.pop(names.SPAN_TOOL) == {"TOOL_CALL"}
    # Any such attribute makes the GenAI tab a span's first, where no link works.
    assert set().union(*kinds.values()) == {None}
    assert "sendUserMessage" in kinds


def test_each_section_is_filled(trace: dict[str, list[Span]]) -> None:
    """Who, which model, tokens with their parts, the conversation, the tool with what it was given and gave back."""
    of_cache = next(span for span in trace[names.SPAN_MODEL] if names.GEN_AI_CACHE_WRITE in span.attributes)
    known = set(FACTS["sections"]["tokens"]) - {"gen_ai.usage.cache_creation.input_tokens"}
    assert sections(of_cache)["tokens"] == known
    assert {title for title in sections(of_cache)} == {"meta", "tokens", "conversation"}
    assert sections(of_cache)["meta"] == set(FACTS["sections"]["meta"])
    for span in trace[names.SPAN_AGENT]:
        assert sections(span)["agent"] == {names.GEN_AI_AGENT_NAME}
        assert {names.GEN_AI_INPUT_TOKENS, names.GEN_AI_OUTPUT_TOKENS} == sections(span)["tokens"]
    (tool,) = trace[names.SPAN_TOOL]
    assert sections(tool)["toolCall"] == set(FACTS["sections"]["toolCall"])


def test_nothing_else_is_in_the_closed_list(trace: dict[str, list[Span]]) -> None:
    """What nobody sees at once is known here."""
    read = {name for each in FACTS["sections"].values() for name in each}
    shown = {name for spans in trace.values() for span in spans for name in span.attributes}
    assert {name for name in shown if name.startswith("gen_ai.")} - read <= OTHER


def test_rows_have_pills(trace: dict[str, list[Span]]) -> None:
    """A model call its model and the provider's HTTP status, a message its protocol."""
    pills = {name: set(FACTS["pills"]) & set(spans[0].attributes) for name, spans in trace.items()}
    assert pills[names.SPAN_MODEL] == {names.GEN_AI_REQUEST_MODEL, names.HTTP_STATUS}
    assert pills["sendUserMessage"] == {names.RPC_SYSTEM}
