"""The scripted provider does what it is told, when it is told, and remembers it."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.ailoop.behaviours import Billed, CallTool, Say, Stall
from tests.ailoop.directives import Directive, find_directives, parse_directive
from tests.ailoop.provider import Provider
from tests.ailoop.verbs import behaviour_of, describe


@pytest.fixture
def provider() -> Iterator[Provider]:
    """A provider of the test's own."""
    with Provider() as running:
        yield running


def _messages(*texts: str) -> list[dict[str, str]]:
    return [{"role": "system", "content": "be"}, *({"role": "user", "content": text} for text in texts)]


def _ask(provider: Provider, messages: list[dict[str, str]], *, secure: bool = False) -> list[str]:
    """Ask as the servers do and return the SSE lines, or what went wrong as the last of them."""
    with requests.Session() as session:
        session.trust_env = False
        if secure:
            session.proxies = {"https": provider.environment()["HTTPS_PROXY"]}
            session.verify = str(provider.certificate)
        url = "https://openrouter.ai/api/v1/chat/completions" if secure else provider.url
        lines: list[str] = []
        try:
            with session.post(url, json={"model": "m", "messages": messages}, stream=True, timeout=60) as response:
                if response.status_code >= 400:
                    return [f"{response.status_code} {response.json()['error']['message']}"]
                lines += (line.decode() for line in response.iter_lines() if line)
        except requests.RequestException as error:
            lines.append(type(error).__name__)
        return lines


def _until(condition: Callable[[], bool]) -> None:
    """Wait for something that happens soon, however busy the machine is."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _deltas(lines: list[str]) -> list[dict[str, Any]]:
    chunks = [json.loads(line[6:]) for line in lines if line.startswith('data: {"')]
    return [choice["delta"] for chunk in chunks for choice in chunk["choices"]]


def _text(lines: list[str]) -> str:
    return "".join(delta.get("content") or "" for delta in _deltas(lines))


def test_directives_stand_among_words() -> None:
    """Bare words, numbers, JSON, flags; several in one message; one for the next message."""
    text = 'do [[tool name=ls arguments={"a": [[1]]} times=2]] it [[next say text="a ]] b" usage=false]] now'
    assert list(find_directives(text)) == [
        Directive("tool", {"name": "ls", "arguments": {"a": [[1]]}, "times": 2}),
        Directive("say", {"text": "a ]] b", "usage": False}, for_next=True),
    ]
    assert list(find_directives("none at all")) == []


@pytest.mark.parametrize("text", ["[[say", "[[]]", "[[a=1]]", "[[next]]", "[[say chunks=]]"])
def test_malformed_directives_are_refused(text: str) -> None:
    """A slip of the pen is no silent default."""
    with pytest.raises(ValueError, match="directive"):
        list(find_directives(text))


def test_unknown_behaviours_and_settings_are_refused() -> None:
    """Neither a wrong verb nor a wrong setting passes."""
    with pytest.raises(ValueError, match="unknown behaviour"):
        behaviour_of("sing")
    with pytest.raises(ValueError, match="no setting"):
        behaviour_of("say loud=1")


def test_a_behaviour_describes_itself_as_its_directive() -> None:
    """What is recorded can be asked for again."""
    billed = Billed(bill={"cost": 1}, early=True)
    for each in (Say(chunks=5, gap=0.5), Stall(after=2, id="x"), CallTool(name="ls", arguments={"a": 1}), billed):
        assert behaviour_of(parse_directive(describe(each))) == each


@pytest.mark.parametrize("secure", [False, True])
def test_answers_over_http_and_as_a_proxy(provider: Provider, secure: bool) -> None:
    """The same stream, by plain HTTP and by CONNECT and TLS."""
    lines = _ask(provider, _messages("hello [[say chunks=2 id=x]]"), secure=secure)
    assert _text(lines) == "x.0 x.1 "
    assert lines[-1] == "data: [DONE]"
    usage = json.loads(lines[-2][6:])
    assert usage["choices"] == []
    assert usage["usage"]["completion_tokens"] == 2
    assert provider.find("x").secure is secure


def test_a_bill_and_where_it_stands(provider: Provider) -> None:
    """Before the first text or behind the finish reason, among lines that say nothing, and the record of it."""
    early = 'bill bill={"prompt_tokens": 7} early roles=2 chunks=2 empty=1 trailing=1'
    late = 'bill bill={"cost": 0.5} tool=ls trailing=2 gap=0.01'
    first, second = (_ask(provider, _messages(f"[[{each}]]")) for each in (early, late))
    usages = [[index for index, line in enumerate(lines) if '"usage"' in line] for lines in (first, second)]
    assert usages == [[2], [6]]
    assert first.count("data:") == 1
    assert [len(lines) - 1 for lines in (first, second)] == [8, 9]
    assert [(each.usage, each.outputs, each.lines) for each in provider.served] == [
        ({"prompt_tokens": 7}, 2, 7),
        ({"cost": 0.5}, 3, 9),
    ]


def test_failures(provider: Provider) -> None:
    """HTTP errors, cuts, errors in the stream, garbage."""
    assert _ask(provider, _messages("[[fail status=429 message=slow]]")) == ["429 slow"]
    assert _ask(provider, _messages("[[drop]]")) == ["ConnectionError"]
    assert _ask(provider, _messages("[[cut after=1]]"))[-1] == "ChunkedEncodingError"
    assert "data: {broken" in _ask(provider, _messages("[[garbage]]"))
    lines = _ask(provider, _messages("[[error after=1 chunks=3]]"))
    assert json.loads(lines[-2][6:])["error"]["code"] == 502
    assert _text(lines) == "w0 "
    assert _ask(provider, _messages("[[sing]]"))[0].startswith("400 unknown behaviour")
    assert [each.outcome for each in provider.served] == ["done", "closed", "closed", "done", "done"]


def test_choice(provider: Provider) -> None:
    """The queue comes first, then the directive of this round, then the default."""
    asked = _messages("do [[tool]] [[say id=after]]")
    provider.queue("say id=queued")
    assert _text(_ask(provider, asked)) == "queued.0 queued.1 queued.2 "
    assert _deltas(_ask(provider, asked))[0]["tool_calls"][0]["function"]["name"] == "list_directory"
    results = [{"role": "assistant", "content": ""}, {"role": "tool", "content": "{}"}]
    assert _text(_ask(provider, asked + results)).startswith("after.0")
    assert _text(_ask(provider, _messages("hello"))) == "w0 w1 w2 "


def test_history_without_a_system_prompt_is_about_the_next_message(provider: Provider) -> None:
    """The earlier generation sends the turns before: only what was said for the next one counts."""
    history = _messages("one [[fail]] [[next say id=two]]")[1:]
    assert _text(_ask(provider, history)).startswith("two.0")


def test_times_are_kept_and_recorded(provider: Provider) -> None:
    """Delay, gap and pause, with keep-alive comments in the silence."""
    lines = _ask(provider, _messages("[[say id=t chunks=3 delay=0.2 keepalive=0.05 gap=0.1 pause=0.3 after=2]]"))
    served = provider.find("t")
    waits = [served.chunks[0] - served.received]
    waits += [after - before for before, after in zip(served.chunks, served.chunks[1:], strict=False)]
    assert all(wait > wished - 0.005 for wait, wished in zip(waits, [0.2, 0.1, 0.3], strict=True))
    assert lines.count(": OPENROUTER PROCESSING") >= 6


def test_what_hangs_is_released(provider: Provider) -> None:
    """By id or all at once; a stall has sent some, a hang has sent nothing."""
    with ThreadPoolExecutor(2) as threads:
        stalled = threads.submit(_ask, provider, _messages("[[stall id=s after=1]]"))
        hanging = threads.submit(_ask, provider, _messages("[[hang id=h]]"))
        provider.wait_for(2)
        _until(lambda: len(provider.find("s").chunks) == 1)
        assert provider.find("h").status is None
        provider.release("s")
        assert _text(stalled.result(60)) == "s.0 s.1 s.2 "
        assert not hanging.done()
        provider.release()
        assert _text(hanging.result(60)) == "h.0 h.1 h.2 "


def test_sixty_streams_at_once(provider: Provider) -> None:
    """They do not wait for each other: each has begun before any goes on."""
    with ThreadPoolExecutor(60) as threads:
        asked = [threads.submit(_ask, provider, _messages("[[stall chunks=5 after=2 id=s]]")) for _ in range(60)]
        _until(lambda: len(provider.served) == 60 and all(len(each.chunks) == 2 for each in provider.served))
        assert not any(each.done() for each in asked)
        provider.release()
        assert {_text(each.result(60)) for each in asked} == {"s.0 s.1 s.2 s.3 s.4 "}


def test_it_is_left_with_nothing_running() -> None:
    """A hanging request does not hold it back when it ends."""
    before = threading.active_count()
    with Provider() as provider, ThreadPoolExecutor(1) as threads:
        hanging = threads.submit(_ask, provider, _messages("[[hang]]"))
        provider.wait_for(1)
        provider.release()
        hanging.result(60)
    _until(lambda: threading.active_count() <= before)


def test_as_a_process() -> None:
    """Started by itself it says where it is, and is controlled over HTTP."""
    root = Path(__file__).parent.parent.parent
    command = [sys.executable, "-m", "tests.ailoop.provider", "--default", "say chunks=1 id=d"]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            about = json.loads(process.stdout.readline())
            base = about["url"].removesuffix("/api/v1/chat/completions")
            requests.post(f"{base}/queue", json=["say id=q"], timeout=60)
            for expected in ("q", "d"):
                requests.post(about["url"], json={"messages": []}, timeout=60)
                assert requests.get(f"{base}/served", timeout=60).json()[-1]["id"] == expected
            assert about["plain_environment"]["AILOOP_API_URL"] == about["url"]
        finally:
            process.terminate()
        assert process.wait(60) == 0
