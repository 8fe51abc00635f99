"""A chunk form only makes a chunk cheap: with it and without it the same frames come to the same."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ailoop_otel.protocol.answer import Answer
from ailoop_otel.protocol.delegates import Delegates
from ailoop_otel.protocol.dialect import Dialect
from ailoop_otel.protocol.jsonrpc import is_reply, read_frame
from ailoop_otel.protocol.plugins import disagreement
from ailoop_otel.protocol.registry import Registry
from ailoop_otel.protocol.stateless import Stateless
from tests.ailoop.transcripts import load
from tests.protocol.invented import parley, registry
from tests.scripted import chunk, compact, update
from tests.wire.test_transcripts import scenarios

PARLEY: Any = parley()
FIGURES = (
    "answer_size", "chunks", "failed", "first", "frame_size", "gaps", "last", "max_gap", "plain", "repeated",
    "stream_size", "streamed_size", "timed_out", "unread", "whole", "outcome",
)  # fmt: skip
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


def without_forms(registry: Registry) -> Registry:
    """The same dialects, each without its forms."""
    for dialect in registry.dialects:
        dialect.chunk_forms = ()  # type: ignore[misc]
    registry._index()
    return registry


WITH, WITHOUT = registry(PARLEY.Parley), without_forms(registry(PARLEY.Parley))


def delta(text: str, session: str = "c-1") -> str:
    """One of Parley's pieces."""
    return compact("chat.delta", {"conversation": session, "text": text})


def figures(registry: Registry, frames: list[tuple[int, str]]) -> dict[str, Any]:
    """What an answer comes to whose frames have this time since the one before."""
    now = 1
    answer: Answer[int] = Answer(now, [])
    answer.answered = True
    for pause, text in frames:
        now += pause
        form = registry.form(text)
        if form is not None:
            answer.take(now, text, form)
            continue
        frame = read_frame(text)
        assert frame is not None
        answer.read(now, registry.notice(frame["method"], frame["params"])[1], len(text))
    return {name: getattr(answer, name) for name in FIGURES}


DONE, FAILED = compact("chat.done", {"conversation": "c-1"}), compact("chat.failed", {"conversation": "c-1"})
PARLEYS = st.lists(TEXTS.map(delta) | st.sampled_from([DONE, FAILED]), max_size=12)


@given(st.lists(st.integers(0, 9), min_size=12, max_size=12), PARLEYS)
def test_the_plugins_frames_come_to_the_same_without_its_form(pauses: list[int], frames: list[str]) -> None:
    """Every figure, for any text."""
    timed = [*zip(pauses, frames, strict=False)]
    assert WITHOUT.heads == ()
    assert figures(WITH, timed) == figures(WITHOUT, timed)
    assert WITH.problems() == WITHOUT.problems() == []


UPDATES = st.lists(TEXTS.map(update) | TEXTS.map(lambda text: update(text, structured=True)), max_size=12)


@given(st.lists(st.integers(0, 9), min_size=12, max_size=12), UPDATES)
def test_ailoops_own_updates_come_to_the_same_without_their_form(pauses: list[int], frames: list[str]) -> None:
    """They get longer and shorter, and are sent again."""
    timed = [*zip(pauses, frames, strict=False)]
    assert figures(WITH, timed) == figures(WITHOUT, timed)


@given(st.lists(st.integers(0, 9), min_size=12, max_size=12), st.lists(st.booleans(), max_size=12))
def test_ailoops_own_pieces_come_to_the_same_without_their_form(pauses: list[int], finals: list[bool]) -> None:
    """The last one repeats the one before."""
    timed = [*zip(pauses, [chunk(f"w{number}", final=final) for number, final in enumerate(finals)], strict=False)]
    assert figures(WITH, timed) == figures(WITHOUT, timed)


@pytest.mark.parametrize(("dialect", "name"), scenarios())
def test_what_the_real_servers_sent_is_read_alike(dialect: str, name: str) -> None:
    """Each recorded frame that a form reads, by its dialect's notice too."""
    dialects: tuple[Dialect, ...] = (Stateless(), Delegates())
    for entry in load(dialect, name):
        frame = read_frame(entry["text"]) if entry["direction"] == "in" else None
        if frame is None or is_reply(frame):
            continue
        for each in dialects:
            for form in each.chunk_forms:
                if entry["text"].startswith(form.head):
                    assert disagreement(each, form, entry["text"]) == ""


@given(TEXTS)
def test_the_plugins_form_reads_any_text(text: str) -> None:
    """However the server writes other characters than ASCII."""
    dialect = PARLEY.Parley()
    (form,) = dialect.chunk_forms
    params = {"conversation": "c-1", "text": text}
    for ascii_only in (True, False):
        frame = {"jsonrpc": "2.0", "method": "chat.delta", "params": params}
        written = json.dumps(frame, separators=(",", ":"), ensure_ascii=ascii_only)
        assert written.startswith(form.head)
        assert disagreement(dialect, form, written) == ""
