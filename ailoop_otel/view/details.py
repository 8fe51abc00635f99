"""What is worth reading in a span's attributes, as one line."""

from __future__ import annotations

from typing import Final

from ailoop_otel import names
from ailoop_otel.recorded.records import Span
from ailoop_otel.recorded.values import Value
from ailoop_otel.view import units

_LONGEST: Final = 48
_UNITS: Final = {name.name: name.unit for name in names.ATTRIBUTES}
# The heading of a waterfall says these already, or the span's name does, or nobody asks.
_SILENT: Final = frozenset(
    {
        names.SESSION_ID, names.OUTCOME, names.DIALECT, names.TIME_TO_FIRST_CHUNK,
        names.JSONRPC_VERSION, names.JSONRPC_ID,
        names.RPC_SYSTEM, names.RPC_METHOD, names.CLIENT_ADDRESS, names.CORRELATION,
        names.GEN_AI_OPERATION, names.GEN_AI_CONVERSATION, names.GEN_AI_PROVIDER, names.GEN_AI_TOOL_NAME,
        names.GEN_AI_AGENT_NAME, names.GEN_AI_AGENT_ID, names.GEN_AI_TOOL_TYPE, names.GEN_AI_TOOL_CALL_ID,
        names.GEN_AI_RESPONSE_ID, names.GEN_AI_STREAM, names.GEN_AI_INPUT_TOKENS, names.GEN_AI_OUTPUT_TOKENS,
        names.HTTP_STATUS, names.MODEL_BYTES,
        names.TIME_MODEL_WAIT, names.TIME_MODEL_STREAM, names.TIME_TOOLS, names.TIME_SERVER, names.TIME_LOOP_LAG,
        names.BLOCKED_BY, names.BLOCKED_TIME,
    }
)  # fmt: skip
# What a narrow terminal should not cut off.
_FIRST: Final = (names.ERROR_TYPE, names.GEN_AI_FINISH_REASONS, names.GEN_AI_FIRST_CHUNK)
_SILENT_ROOMS: Final = ("network.", "server.", "url.", "user_agent.", "thread.", "code.")
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


def details(span: Span) -> str:
    """The attributes that say something about this span, the error first, long texts last."""
    outcome = span.text(names.OUTCOME)
    told = [
        _told(name, value) for name, value in sorted(span.attributes.items(), key=_order) if not _silent(name, value)
    ]
    told.insert(names.ERROR_TYPE in span.attributes, _tokens(span))
    return " · ".join(words for words in told if words.removeprefix("by ") not in span.name and words != outcome)


def _tokens(span: Span) -> str:
    """What a model was given and gave."""
    counts = ((names.GEN_AI_INPUT_TOKENS, "in"), (names.GEN_AI_OUTPUT_TOKENS, "out"))
    told = ((span.number(name), word) for name, word in counts)
    parts = ", ".join(f"{units.count(number)} {word}" for number, word in told if number is not None)
    return f"tokens {parts}" if parts else ""


def _told(name: str, value: Value) -> str:
    label = _LABELS.get(name, name.rpartition(".")[2].replace("_", " "))
    unit = _UNITS.get(name, "")
    # "rounds 2", not "rounds 2 rounds".
    unit = "" if unit.startswith("{") and unit.strip("{}") in label else unit
    return f"{label} {_worded(value, unit)}".strip()


def _worded(value: Value, unit: str) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(_worded(member, unit) for member in value)[:_LONGEST]
    if isinstance(value, str):
        return value if len(value) <= _LONGEST else value[: _LONGEST - 1] + "…"
    if unit == "s":
        return units.span_of_time(value) if float(value).is_integer() else units.duration(value)
    if unit.startswith("{"):
        return units.counted(int(value), unit.strip("{}"))
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def _silent(name: str, value: Value) -> bool:
    usual = name == names.AGENT_ROUNDS and value == 1
    return usual or name in _SILENT or name.startswith(_SILENT_ROOMS)


def _order(attribute: tuple[str, Value]) -> tuple[int, bool]:
    name, value = attribute
    rank = _FIRST.index(name) if name in _FIRST else len(_FIRST)
    return rank, isinstance(value, str) and len(value) > _LONGEST
