"""What is known from a model's stream, in whichever form a provider writes it: the same as if each line were read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ailoop_otel.guard import Guard
from ailoop_otel.server.model import _observed_lines
from ailoop_otel.server.stream import GARBAGE, ModelStream, Summary, has_output
from tests.recorder import SECOND, ManualClock

Chunk = dict[str, Any]


class Call:
    """A call's stream, its clock, and how it ended."""

    content = None

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.stream = ModelStream(self.clock.now)
        self.error: str | None = None

    def end(self, error: str | None) -> None:
        """As the model call's."""
        self.error = error

    def read(self, lines: list[bytes], until: bytes | None = None) -> ModelStream:
        """Read as the server does, a line each second, up to the line `until`."""

        def paced() -> Iterator[bytes]:
            for line in lines:
                self.clock.move(1)
                yield line

        observed = _observed_lines(self, paced, Guard(strict=True))()  # type: ignore[arg-type]
        for line in observed:
            if line == until:
                break
        observed.close()
        return self.stream


# --- Forms of providers ------------------------------------------------------------------------------------------
def openrouter(delta: Chunk, finish: str | None, usage: Chunk | None) -> Chunk:
    """OpenRouter's own."""
    choice = {
        "index": 0,
        "delta": {"role": "assistant", **delta},
        "finish_reason": finish,
        "native_finish_reason": finish,
    }
    chunk = {"id": "gen-1", "provider": "P", "model": "m/x", "choices": [{**choice, "logprobs": None}]}
    return chunk | ({"usage": usage} if usage else {})


def openai(delta: Chunk, finish: str | None, usage: Chunk | None) -> Chunk:
    """OpenAI's, with `usage` in each chunk."""
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return {"id": "c-1", "model": "x", "choices": [] if usage else [choice], "usage": usage}


def llama(delta: Chunk, finish: str | None, usage: Chunk | None) -> Chunk:
    """That of llama.cpp, by the alphabet: the finish reason stands in front of the answer."""
    choice = {"finish_reason": finish, "index": 0, "delta": delta}
    return {"choices": [choice], "created": 1, "id": "c-1", "model": "x"} | ({"usage": usage} if usage else {})


def bare(delta: Chunk, finish: str | None, usage: Chunk | None) -> Chunk:
    """One that leaves out what it has not; an error may come in the place of null."""
    choice: Chunk = {"delta": delta} | ({"finish_reason": finish} if finish else {})
    return {"error": None, "choices": [choice]} | ({"usage": usage} if usage else {})


def counting(delta: Chunk, finish: str | None, usage: Chunk | None) -> Chunk:
    """One that counts the tokens in each chunk."""
    tokens = len(str(delta)) % 10
    return openrouter(delta, finish, usage or {"completion_tokens": tokens})


FORMS = [openrouter, openai, llama, bare, counting]
texts = st.text(max_size=3) | st.text(max_size=60) | st.sampled_from(['"', '"finish_reason":null', "\\", "ü\ud800"])
deltas = st.one_of(
    st.fixed_dictionaries({"content": texts}),
    st.fixed_dictionaries({"content": texts}),
    st.fixed_dictionaries({"content": st.just(""), "reasoning": texts.filter(bool)}),
    st.just({"content": None, "tool_calls": [{"index": 0, "function": {"arguments": "{"}}]}),
    st.just({}),
)
REASONS = ["stop", "length", "tool_calls", "content_filter", "function_call", "error", "end_turn", "max_tokens", "STOP"]
reasons = st.none() | st.none() | st.none() | st.sampled_from(REASONS)
tokens = st.integers(0, 10**6)
usages = (
    st.none()
    | st.none()
    | st.fixed_dictionaries({"prompt_tokens": tokens, "completion_tokens": tokens, "cost": st.just(0.5)})
    | st.fixed_dictionaries(
        {"completion_tokens": st.just(3), "cost_details": st.just({"upstream_inference_cost": None})}
    )
)
errors = st.none() | st.none() | st.none() | st.sampled_from([{"code": 502}, {"code": 500, "message": "m"}, "x"])


@st.composite
def streams(draw: st.DrawFn) -> list[bytes]:
    """The data lines of one stream."""
    form = draw(st.sampled_from(FORMS))
    spaces = draw(st.booleans())
    ascii_only = draw(st.booleans())
    lines = []
    for delta, finish, usage, error in draw(st.lists(st.tuples(deltas, reasons, usages, errors), max_size=12)):
        chunk = form(delta, finish, usage)
        if error is not None:
            chunk = {"error": error} | chunk | {"error": error}
        separators = (", ", ": ") if spaces else (",", ":")
        written = json.dumps(chunk, separators=separators, ensure_ascii=ascii_only)
        lines.append(b"data: " + written.encode("utf-8", "replace"))
    return lines


@given(streams())
def test_it_is_as_if_each_line_were_read(lines: list[bytes]) -> None:
    """What the chunks say of the whole, which of them are output, and when those came."""
    expected = Summary()
    outputs = []
    for position, line in enumerate(lines):
        chunk = json.loads(line[len(b"data: ") :])
        expected.take(chunk)
        if has_output(chunk):
            outputs.append(ManualClock().now() + (position + 1) * SECOND)
    stream = Call().read(lines)
    assert stream.summary == expected
    assert stream.outputs == len(outputs)
    assert (stream.first, stream.latest) == ((outputs[0], outputs[-1]) if outputs else (0, 0))
    assert stream.chunks == len(lines)
    assert stream.size == sum(len(line) + 1 for line in lines)


def data(chunk: Chunk) -> bytes:
    """A chunk's line."""
    return b"data: " + json.dumps(chunk, separators=(",", ":")).encode()


@pytest.mark.parametrize("form", [openrouter, openai, llama, bare])
def test_lines_of_the_usual_form_are_not_read(monkeypatch: pytest.MonkeyPatch, form: Any) -> None:
    """The first with output is, and what says something of the whole, however many lines follow it."""
    usage = {"prompt_tokens": 7, "completion_tokens": 3}
    said = [data(form({}, "stop", None)), data(form({}, None, usage))]
    lines = [data(form({"content": text}, None, None)) for text in ("a", "word ", "x" * 200)] * 20
    read: list[bytes] = []
    really = json.loads
    monkeypatch.setattr(json, "loads", lambda text: read.append(text) or really(text))
    stream = Call().read([*lines, *said, *lines])
    # And the last of all.
    assert len(read) == 1 + len(said) + 1
    assert stream.outputs == 2 * len(lines)
    assert stream.summary.finish_reason == "stop"
    assert (stream.summary.input_tokens, stream.summary.output_tokens) == (7, 3)


# --- What no provider should send ----------------------------------------------------------------------------------
CUT = b'data: {"choi'


@pytest.mark.parametrize("odd", [b"data: ", b"data:", b"data:  ", b": comment", b"event: x", b"retry: 7", b"id"])
def test_lines_without_data_are_no_chunks(odd: bytes) -> None:
    """Nor are they a fault, wherever they stand."""
    piece = data(openrouter({"content": "a"}, None, None))
    call = Call()
    stream = call.read([odd, piece, odd, piece, odd])
    assert (stream.chunks, stream.outputs, stream.unread) == (2, 2, 0)
    assert call.error is None


@pytest.mark.parametrize(
    ("after", "error"),
    [([], GARBAGE), ([b": comment"], None), ([b"data: [DONE]"], None), ([data(openrouter({}, "stop", None))], None)],
)
def test_the_line_at_which_a_server_gives_up(after: list[bytes], error: str | None) -> None:
    """The earlier generation ends the stream at what is no JSON, the current one reads on."""
    call = Call()
    piece = data(openrouter({"content": "a"}, None, None))
    lines = [piece, piece, CUT, *after]
    stream = call.read([*lines, piece], until=lines[-1])
    assert stream.unread == 1
    assert call.error == error


@pytest.mark.parametrize(
    ("field", "value", "cost"),
    [
        ("cost", "9" * 401, None),
        ("cost", "Infinity", None),
        ("cost", "-Infinity", None),
        ("cost", "NaN", None),
        ("cost", "-0.5", None),
        ("cost", "true", None),
        ("cost", '"1"', None),
        ("cost", "1e999", None),
        ("cost", "0", 0.0),
        ("cost", "3", 3.0),
    ],
)
def test_what_is_no_cost(field: str, value: str, cost: float | None) -> None:
    """It is left out, and the rest is kept; an earlier value stays."""
    usage = f'data: {{"usage": {{"{field}": {value}, "prompt_tokens": 7}}}}'.encode()
    assert Call().read([usage]).summary == Summary(
        input_tokens=7, cost=cost, cost_source=None if cost is None else "provider"
    )
    earlier = b'data: {"usage": {"cost": 0.25, "completion_tokens": 3}}'
    assert Call().read([earlier, usage]).summary == Summary(
        input_tokens=7, output_tokens=3, cost=0.25 if cost is None else cost, cost_source="provider"
    )


@pytest.mark.parametrize("error", ["null", "false", "{}", '""'])
def test_an_empty_error_is_none(error: str) -> None:
    """Some write one into each chunk of a whole answer."""
    assert Call().read([f'data: {{"error": {error}}}'.encode()]).summary.error is None


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("502", "502"),
        ("429", "429"),
        ("987654321", "error"),
        ("200", "error"),
        ("-1", "error"),
        ("true", "error"),
        ("9" * 401, "error"),
        ('"server_error"', "error"),
        ("502.0", "error"),
        ('{"code": 502}', "error"),
    ],
)
def test_only_the_status_of_an_http_error_is_an_error_type(code: str, error: str) -> None:
    """All else that a provider has for a code is a label without bound."""
    line = f'data: {{"error": {{"code": {code}, "message": "m"}}}}'.encode()
    assert Call().read([line]).summary.error == error
