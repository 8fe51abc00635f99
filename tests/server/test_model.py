"""A model's stream as the server reads it, in a thread: what is recorded of it, however it ends, and nothing more."""

from __future__ import annotations

import asyncio
import inspect
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
import wrapt

from ailoop_otel import names
from ailoop_otel.recording.fast import json_lines, protobuf
from ailoop_otel.server import model
from ailoop_otel.server import stream as model_stream
from ailoop_otel.server.hooks import HookContext
from ailoop_otel.tracking.exchange import CURRENT
from ailoop_otel.tracking.sessions import Ledger
from tests.exchanges import opened
from tests.recorder import Recording

END = b"data: [DONE]"


def piece(**changes: Any) -> bytes:
    """The line of a chunk with text."""
    chunk = {"id": "gen-1", "model": "some/model", "choices": [{"index": 0, "delta": {"content": "x"}} | changes]}
    return b"data: " + json.dumps(chunk).encode()


class Server:
    """The server's part, with our hooks around it: lines of an answer, read in a thread, chunks handed over."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, lines: list[bytes]) -> None:
        self.recording = Recording()
        self.guard = self.recording.guard
        self.lines = lines
        self.url = "https://ai.example/v1"
        self.payload: dict[str, Any] = {"model": "some/model"}
        self.threads: list[Any] = []
        self.go_on = threading.Event()
        self.inner: Any = None
        self._hooks = HookContext(self.recording.telemetry, set(), Ledger(self.recording.telemetry), lambda _: None)
        self._post = wrapt.FunctionWrapper(self._answer, model.post_hook(self))
        self._stream = wrapt.FunctionWrapper(self._chunks, model.stream_hook(self))
        start = wrapt.FunctionWrapper(vars(threading.Thread)["start"], model.start_hook(self))
        monkeypatch.setattr(threading.Thread, "start", start)

    def hook_context(self) -> HookContext:
        """As a `HookHost`."""
        return self._hooks

    def stream(self) -> AsyncIterator[bytes]:
        """What the server iterates over."""
        found: AsyncIterator[bytes] = self._stream()
        return found

    def chat(self) -> dict[str, Any]:
        """The attributes of the call's span, once the thread is done."""
        self.go_on.set()
        for thread in self.threads:
            thread.join()
        return dict(self.recording.span("chat some/model").attributes or {})

    def _answer(self, url: str, **sent: Any) -> Any:
        class Response:
            status_code = 200
            iter_lines = staticmethod(self._iter_lines)

        return Response()

    def _iter_lines(self) -> Iterator[bytes]:
        for line in self.lines:
            if line.startswith(b": 0."):
                self.recording.clock.move(float(line[2:]))
            yield line
            if line.startswith(b": wait"):
                self.go_on.wait(60)

    async def _chunks(self) -> AsyncIterator[bytes]:
        queue: asyncio.Queue[Any] = asyncio.Queue()
        loop = asyncio.get_running_loop()

        def put(item: Any) -> None:
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(queue.put_nowait, item)

        def read() -> None:
            for line in self._post(self.url, json=self.payload).iter_lines():
                if line == END:
                    break
                if line.startswith(b"data: "):
                    put(line)
            put(None)

        self.threads.append(threading.Thread(target=read, daemon=True))
        self.threads[-1].start()
        while (item := await queue.get()) is not None:
            yield item


async def one(stream: AsyncIterator[bytes]) -> bytes:
    """The next item; the last reference to the stream is the caller's."""
    return await anext(stream)


async def test_a_whole_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its size, its chunks, what is in its chunks; and the stream is the server's own object."""
    usage = b'data: {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3}}'
    role = b'data: {"choices": [{"delta": {"role": "assistant", "content": ""}}]}'
    lines = [b": keep-alive", role, b"", *[piece(), b""] * 50, piece(finish_reason="stop"), b"", usage, b"", END, b""]
    read: list[bytes] = []
    really = model_stream.read
    monkeypatch.setattr(model_stream, "read", lambda line: read.append(line) or really(line))
    server = Server(monkeypatch, lines)
    stream = server.stream()
    assert inspect.isasyncgen(stream)
    assert [item async for item in stream] == [line for line in lines if line.startswith(b"data: {")]
    recorded = server.chat()
    # Up to the first with text, those that say something of the whole, and the last of the others.
    assert len(read) == 2 + 2 + 1
    assert recorded[names.MODEL_CHUNKS] == 53
    assert recorded[names.MODEL_BYTES] == sum(len(line) + 1 for line in lines if line)
    assert recorded[names.GEN_AI_FINISH_REASONS] == ("stop",)
    assert (recorded[names.GEN_AI_INPUT_TOKENS], recorded[names.GEN_AI_OUTPUT_TOKENS]) == (7, 3)
    assert names.MODEL_ABANDONED not in recorded
    assert names.ERROR_TYPE not in recorded


@pytest.mark.parametrize(
    ("lines", "error"),
    [
        ([piece()] * 5, "cut"),
        ([piece()] * 2 + [b'data: {"choi'] + [piece()] * 9, "JSONDecodeError"),
        ([piece()] * 2 + [b'data: {"choi'] + [piece()] * 9 + [END], None),
        ([piece()] * 9 + [b"data: {choices}", END], None),
        ([b"data: nothing", piece(finish_reason="stop")], None),
        ([b"data: ", piece(), b"data: ", END], None),
        ([piece(), b'data: {"error": {"code": 502}}'], "502"),
        ([piece(), b'data: {"error": {"code": 987654321}}', piece(), piece(), piece(), END], "error"),
        ([piece(finish_reason="stop")], None),
        ([piece()] * 5 + [END], None),
    ],
)
@pytest.mark.fault(
    "provider",
    theirs="The provider's stream is cut, or holds garbage or an error",
    promise="The server gets it as it is; the model call says how it ended",
)
async def test_how_a_stream_ended(monkeypatch: pytest.MonkeyPatch, lines: list[bytes], error: str | None) -> None:
    """Cut, an error in it, or well, whatever odd lines it had: a whole answer was delivered without them."""
    server = Server(monkeypatch, lines)
    assert len([item async for item in server.stream()]) == sum(line != END for line in lines)
    assert server.chat().get(names.ERROR_TYPE) == error


async def test_the_time_between_chunks_of_output(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each counts; those before the first output are none, nor is what tells of the end."""
    role = piece(delta={"role": "assistant", "content": ""})
    usage = b'data: {"choices": [], "usage": {"prompt_tokens": 7}}'
    odd = piece(delta={"tool_calls": [{"index": 0}]})
    lines = [*[role] * 6, piece(), b": 0.4", piece(), b": 0.1", odd, b": 0.02", piece(), b": 0.7"]
    server = Server(monkeypatch, [*lines, piece(finish_reason="stop", delta={}), usage, END])
    assert len([item async for item in server.stream()]) == 12
    recorded = server.chat()
    (point,) = server.recording.points(names.METRIC_MODEL_CHUNK.name)
    assert (point.value, point.count) == (pytest.approx(0.52), 3)
    assert recorded[names.MODEL_CHUNKS] == 12


async def test_of_a_very_long_stream_the_latest_times_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """No more of them are kept; how long it took is known of all."""
    server = Server(monkeypatch, [piece(), b": 0.5", *[piece()] * 10_000, END])
    assert len([item async for item in server.stream()]) == 10_001
    server.chat()
    (point,) = server.recording.points(names.METRIC_MODEL_CHUNK.name)
    assert (point.value, point.count) == (0, 9_999)


USED = {
    "prompt_tokens": 9_200, "completion_tokens": 41, "cost": 0.0125,
    "prompt_tokens_details": {"cached_tokens": 9_000, "cache_write_tokens": 100, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 21},
}  # fmt: skip


async def test_what_a_call_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tokens with their parts, and cost, are on the span and in the metrics as the provider sent them."""
    usage = b"data: " + json.dumps({"choices": [], "usage": USED}).encode()
    server = Server(monkeypatch, [piece(), b": 0.4", piece(finish_reason="stop"), usage, END])
    assert len([item async for item in server.stream()]) == 3
    recorded = server.chat()
    assert {name: recorded[name] for name in recorded if "usage" in name or "cost" in name} == {
        names.GEN_AI_INPUT_TOKENS: 9_200,
        names.GEN_AI_OUTPUT_TOKENS: 41,
        names.GEN_AI_CACHE_READ: 9_000,
        names.GEN_AI_CACHE_WRITE: 100,
        names.GEN_AI_REASONING: 21,
        names.COST: 0.0125,
        names.COST_CURRENCY: "USD",
        names.COST_SOURCE: "provider",
    }
    assert recorded[names.MODEL_TIME_PER_TOKEN] == pytest.approx(0.01)
    counted = [[point.value for point in server.recording.points(each.name)] for each in names.TOTALS]
    assert counted == [[9_200], [41], [9_000], [100], [21], [0.0125]]
    for metric, value in ((names.METRIC_CALL_INPUT, 9_200), (names.METRIC_CALL_OUTPUT, 41)):
        assert [point.value for point in server.recording.points(metric.name)] == [value]


async def test_what_a_message_and_its_session_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sums over the model calls of a message are on its span, those of its messages on their session's."""
    usage = b"data: " + json.dumps({"choices": [], "usage": USED}).encode()
    server = Server(monkeypatch, [piece(finish_reason="stop"), usage, END])
    clock = server.recording.clock
    session = Ledger(server.recording.telemetry).start("s-1", clock.time, clock.time)
    for _ in range(2):
        exchange = opened(server.recording, session="s-1")
        CURRENT.set(exchange)
        for _ in range(2):
            assert len([item async for item in server.stream()]) == 2
            server.threads.pop().join()
        clock.move(1)
        exchange.end(clock.time, session)
    Ledger(server.recording.telemetry).end(session, "stopped", clock.time)
    spans = server.recording.spans("sendUserMessage") + [server.recording.span(names.SPAN_SESSION)]
    for span, calls in zip(spans, (2, 2, 4), strict=True):
        assert {name: value for name, value in (span.attributes or {}).items() if name in names.USED} == {
            names.USAGE_INPUT: calls * 9_200,
            names.USAGE_OUTPUT: calls * 41,
            names.USAGE_CACHE_READ: calls * 9_000,
            names.USAGE_CACHE_WRITE: calls * 100,
            names.USAGE_REASONING: calls * 21,
            names.COST: pytest.approx(calls * 0.0125),
            names.COST_CURRENCY: "USD",
            names.COST_SOURCE: "provider",
        }


async def test_a_call_of_which_no_tokens_are_known_counts_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """A zero, as the conventions want it; of its cost nothing is said."""
    server = Server(monkeypatch, [piece()])
    assert len([item async for item in server.stream()]) == 1
    recorded = server.chat()
    assert recorded[names.GEN_AI_FINISH_REASONS] == ("error",)
    assert names.GEN_AI_INPUT_TOKENS not in recorded
    (point,) = server.recording.points(names.METRIC_INPUT_TOKENS.name)
    assert (point.value, point.labels[names.GEN_AI_MODALITY]) == (0, "unknown")
    assert server.recording.points(names.METRIC_COST.name) == []


async def test_what_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The request's parameters, each if it is of its kind; never what may be content."""
    server = Server(monkeypatch, [piece(finish_reason="stop"), END])
    server.payload |= {
        "stream": True, "temperature": 0.7, "max_tokens": 512, "top_p": "1", "frequency_penalty": -0.5, "top_k": 1.5,
        "stop": ["a secret"], "reasoning": {"effort": "high"}, "response_format": {"type": "json_schema"},
    }  # fmt: skip
    assert len([item async for item in server.stream()]) == 1
    recorded = server.chat()
    assert {name: value for name, value in recorded.items() if ".request." in name or ".output." in name} == {
        names.GEN_AI_REQUEST_MODEL: "some/model",
        names.GEN_AI_STREAM: True,
        names.GEN_AI_TEMPERATURE: 0.7,
        names.GEN_AI_MAX_TOKENS: 512,
        names.GEN_AI_FREQUENCY_PENALTY: -0.5,
        names.GEN_AI_REASONING_LEVEL: "high",
        names.GEN_AI_OUTPUT_TYPE: "json",
    }


async def test_chunks_that_are_no_json_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """They may have been words of the answer."""
    server = Server(monkeypatch, [piece(), b'data: {"choi', b"data: 1", piece(), END])
    assert len([item async for item in server.stream()]) == 4
    assert server.chat()[names.MODEL_UNREAD] == 2


@pytest.mark.parametrize("tokens", ["-1", "true", '"7"', "1.5", "null", "1" + "0" * 400])
@pytest.mark.fault(
    "provider",
    theirs="The provider's token counts are no numbers",
    promise="They are left out; the rest is recorded",
)
async def test_what_is_no_number_of_tokens(monkeypatch: pytest.MonkeyPatch, tokens: str) -> None:
    """It is left out: a provider may send anything, and some of it could never be exported."""
    usage = f'data: {{"choices": [], "usage": {{"prompt_tokens": {tokens}, "completion_tokens": 3}}}}'
    server = Server(monkeypatch, [piece(finish_reason="stop"), usage.encode(), END])
    assert len([item async for item in server.stream()]) == 2
    recorded = server.chat()
    assert names.GEN_AI_INPUT_TOKENS not in recorded
    assert recorded[names.GEN_AI_OUTPUT_TOKENS] == 3


@pytest.mark.parametrize(
    ("url", "address", "port"),
    [
        ("https://ai.example/v1", "ai.example", 443),
        ("http://[::1]:8080/v1", "::1", 8080),
        ("http:///v1", "_OTHER", 80),
        ("http://\ud800/v1", "_OTHER", 80),
        ("http://ai.example:99999/v1", None, None),
        ("http://[::1/v1", None, None),
    ],
)
async def test_an_odd_address(monkeypatch: pytest.MonkeyPatch, url: str, address: Any, port: Any) -> None:
    """It takes nothing else down: the call is recorded."""
    server = Server(monkeypatch, [piece(), END])
    server.url = url
    assert len([item async for item in server.stream()]) == 1
    recorded = server.chat()
    assert (recorded.get(names.SERVER_ADDRESS), recorded.get(names.SERVER_PORT)) == (address, port)
    assert recorded[names.MODEL_CHUNKS] == 1


async def test_what_a_provider_says_can_be_exported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it puts into the fields: the whole batch would be lost."""
    odd = '"\\ud800"'
    chunk = f'{{"id": {odd}, "model": {odd}, "choices": [{{"delta": {{"content": {odd}}}, "finish_reason": {odd}}}]}}'
    usage = f'{{"usage": {{"cost": Infinity, "prompt_tokens": {odd}}}, "error": {{"code": {odd}}}}}'
    server = Server(monkeypatch, [f"data: {chunk}".encode(), f"data: {usage}".encode(), END])
    assert len([item async for item in server.stream()]) == 2
    assert server.chat()[names.ERROR_TYPE] == "error"
    spans = server.recording.spans()
    assert len(protobuf.encoded(spans)) > 100
    assert "ud800" not in json_lines.encoded(spans).decode()


async def close(server: Server) -> None:
    """Close the stream after an item."""
    stream = server.stream()
    await one(stream)
    await stream.aclose()  # type: ignore[attr-defined]


async def cancel(server: Server) -> None:
    """Be cancelled while the next item is waited for."""
    stream = server.stream()
    await one(stream)
    task = asyncio.ensure_future(one(stream))
    await asyncio.sleep(0)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def drop(server: Server) -> None:
    """Read no further."""
    async for _ in server.stream():
        break


@pytest.mark.parametrize("leave", [close, cancel, drop])
async def test_nobody_listens_any_more(monkeypatch: pytest.MonkeyPatch, leave: Callable[..., Any]) -> None:
    """Though the thread reads on to an end without a mark: that is abandoned, and not cut."""
    server = Server(monkeypatch, [piece(), b": wait", piece()])
    await leave(server)
    recorded = server.chat()
    assert recorded[names.MODEL_ABANDONED] is True
    assert recorded[names.MODEL_CHUNKS] == 2
    assert names.ERROR_TYPE not in recorded


async def test_only_the_stream_s_own_thread_makes_its_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not one that is started between the stream's making and its first step, nor one after it."""
    server = Server(monkeypatch, [piece(), END])
    others: list[object] = []

    def other() -> None:
        others.append(model._MAKING.get())

    def start_another() -> None:
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()

    stream = server.stream()
    start_another()
    await one(stream)
    start_another()
    assert others == [None, None]
    assert [item async for item in stream] == []
    assert server.chat()[names.MODEL_CHUNKS] == 1


@pytest.mark.fault(
    "foreign",
    theirs="Sentry's SDK wraps each thread's `run` and calls it with the thread",
    promise="The model's thread runs, and its call is recorded",
)
async def test_a_thread_whose_run_somebody_else_wraps(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is found on the thread is called with it, as a method of the class would be."""
    original = threading.Thread.start

    def start(thread: threading.Thread) -> None:
        found = getattr(thread.run, "__func__", thread.run)
        thread.run = lambda *_: found(threading.current_thread())  # type: ignore[method-assign]
        original(thread)

    monkeypatch.setattr(threading.Thread, "start", start)
    server = Server(monkeypatch, [piece(), piece(finish_reason="stop"), END])

    async def read() -> list[bytes]:
        return [item async for item in server.stream()]

    assert len(await asyncio.wait_for(read(), 60)) == 2
    assert server.chat()[names.MODEL_CHUNKS] == 2
