"""The attributes of a span that are worth reading, as one line."""

from __future__ import annotations

import math
from typing import Final

from ailoop_otel import names, units
from ailoop_otel.recorded.otlp_json import Value
from ailoop_otel.recorded.records import Span
from ailoop_otel.view.usage import usage_of

_LONGEST_TEXT: Final = 48
_UNITS: Final = {name.name: name.unit for name in names.ATTRIBUTES}
# Left out beside a span: the heading or the span's name shows them already, or they are of little use here.
_HIDDEN: Final = frozenset(
    {
        names.SESSION_ID, names.OUTCOME, names.DIALECT, names.TIME_TO_FIRST_CHUNK,
        names.JSONRPC_VERSION, names.JSONRPC_ID,
        names.RPC_SYSTEM, names.RPC_METHOD, names.CLIENT_ADDRESS, names.CORRELATION,
        names.GEN_AI_OPERATION, names.GEN_AI_CONVERSATION, names.GEN_AI_PROVIDER, names.GEN_AI_TOOL_NAME,
        names.GEN_AI_AGENT_NAME, names.GEN_AI_TOOL_TYPE, names.GEN_AI_TOOL_CALL_ID,
        names.GEN_AI_RESPONSE_ID, names.GEN_AI_STREAM, *names.USED,
        names.HTTP_STATUS, names.MODEL_BYTES,
        names.TIME_MODEL_WAIT, names.TIME_MODEL_STREAM, names.TIME_TOOLS, names.TIME_SERVER, names.TIME_LOOP_LAG,
        names.BLOCKED_BY, names.BLOCKED_TIME,
    }
)  # fmt: skip
# These come first, so that a narrow terminal does not cut them off.
_FIRST: Final = (names.ERROR_TYPE, names.GEN_AI_FINISH_REASONS, names.GEN_AI_FIRST_CHUNK)
_HIDDEN_PREFIXES: Final = ("network.", "server.", "url.", "user_agent.", "thread.", "code.")
_LABELS: Final = {
    names.ERROR_TYPE: "",
    names.MESSAGE_SIZE: "message",
    names.ANSWER_SIZE: "answer",
    names.STREAM_SIZE: "streamed",
    names.STREAM_CHUNKS: "",
    names.TIMEOUT_PHASE: "",
    names.TIMEOUT_DETECTION_DELAY: "noticed after",
    names.RPC_STATUS: "code",
    names.GEN_AI_REQUEST_MODEL: "",
    names.GEN_AI_RESPONSE_MODEL: "by",
    names.GEN_AI_FINISH_REASONS: "finish",
    names.GEN_AI_FIRST_CHUNK: "first chunk",
    names.MODEL_CHUNKS: "",
}


def summary(span: Span) -> str:
    """The line: the error first, long texts last."""
    outcome = span.text(names.OUTCOME)
    parts = [
        _labelled(name, value)
        for name, value in sorted(span.attributes.items(), key=_order)
        if not _is_hidden(name, value)
    ]
    parts.insert(names.ERROR_TYPE in span.attributes, usage_of(span).words())
    return " · ".join(words for words in parts if words.removeprefix("by ") not in span.name and words != outcome)


def _labelled(name: str, value: Value) -> str:
    label = _LABELS.get(name, name.rpartition(".")[2].replace("_", " "))
    unit = _UNITS.get(name, "")
    # "rounds 2", not "rounds 2 rounds".
    unit = "" if unit.startswith("{") and unit.strip("{}") in label else unit
    return f"{label} {_formatted(value, unit)}".strip()


def _formatted(value: Value, unit: str) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(_formatted(member, unit) for member in value)[:_LONGEST_TEXT]
    if isinstance(value, str):
        # A Jaeger gives a list as its JSON text.
        value = value[2:-2].replace('","', ", ") if value.startswith('["') else value
        return value if len(value) <= _LONGEST_TEXT else value[: _LONGEST_TEXT - 1] + "…"
    if not math.isfinite(value):
        return f"{value:g}"
    if unit == "s":
        return units.span_of_time(value) if float(value).is_integer() else units.duration(value)
    if unit.startswith("{"):
        return units.counted(int(value), unit.strip("{}"))
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def _is_hidden(name: str, value: Value) -> bool:
    usual = name == names.AGENT_ROUNDS and value == 1
    return usual or name in _HIDDEN or name.startswith(_HIDDEN_PREFIXES)


def _order(attribute: tuple[str, Value]) -> tuple[int, bool]:
    name, value = attribute
    rank = _FIRST.index(name) if name in _FIRST else len(_FIRST)
    return rank, isinstance(value, str) and len(value) > _LONGEST_TEXT
