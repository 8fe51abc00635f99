"""Whatever traits a server has, each figure is the truth or absent: never a wrong number."""

from __future__ import annotations

import asyncio
import itertools
import random
from contextvars import Context, copy_context
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ailoop_otel import names
from ailoop_otel.measure.client.conversation import Conversation
from ailoop_otel.measure.client.message import Message
from tests.protocol import characters
from tests.protocol.characters import OWN, START, STARTED, STREAMING, Character, Said, Script, Truth
from tests.recorder import EPOCH
from tests.scripted import Server, Socket

BEGIN = 1_000  # what the clocks show at the script's 0
SECOND = 1_000_000_000
CLOSE = 2e-6  # no span has zero length


class Stage:
    """Plays a script through the middleware, each frame from the task that it is sent from."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.server = Server()
        self._contexts: dict[int, Context] = {}
        self._goes_back = asyncio.Event()
        self._received: list[int] = []

    async def play(self) -> list[Any]:
        """Play it; returns the roots of its messages."""
        socket = await self.server.serve(self._application)
        if self.script.character.starts:
            await socket.deliver(START)
        for step in self.script.steps:
            await self._take(step, socket)
        await socket.leave()
        assert self.server.guard.errors == 0
        return self.server.recording.spans("sendUserMessage")

    async def _take(self, step: Any, socket: Socket) -> None:
        if step.kind == "receive":
            self._received.append(step.message)
            socket.put({"type": "websocket.receive", "text": self.script.request(step.message)})
            await _settle()
        elif step.kind == "back":
            self._goes_back.set()
            await _settle()
        elif step.kind == "wait":
            self.server.clock.move(step.seconds)
            self.server.watchdog.check()
        elif step.kind == "send":
            context = Context() if step.message is None else self._contexts[step.message]
            await context.run(asyncio.create_task, socket.text(step.text))

    async def _application(self, socket: Socket) -> None:
        while True:
            message = await socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            if message["text"] == START:
                await socket.text(STARTED)
                continue
            self._contexts[self._received[-1]] = copy_context()
            self._goes_back.clear()
            await self._goes_back.wait()


async def _settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def converse(script: Script) -> list[Message]:
    """The same frames as the measuring client gets them."""
    conversation = Conversation(lambda text: None)
    messages: list[Message] = []
    now = float(BEGIN)
    conversation._number = -1  # so that its ids are the script's
    for step in script.steps:
        if step.kind == "ask":
            messages.append(Message(now))
            text = "/help" if script.said[len(messages) - 1].command else "hello"
            conversation.ask(messages[-1], script.character.answering, text, now)
        elif step.kind == "wait":
            now += step.seconds
        elif step.kind == "send":
            conversation.take(step.text, now)
    return messages


# --- What is demanded -----------------------------------------------------------------------------------------
def outcomes(script: Script, truth: Truth) -> set[str]:
    """What may be made of the end of a message."""
    character = script.character
    known = character.greeting == characters.CURRENT and not character.strangers
    if truth.outcome == "no_answer" and character.streaming == characters.UNNAMED and character.overlapping:
        # The frames that nobody can read, and that are the other message's, may as well have been its answer.
        return {"no_answer", "ok"}
    # A missing repeat says that an answer was cut once it is known that this server repeats.
    return {truth.outcome} if truth.outcome != "cut" or known else {"cut", "ok"}


def outcomes_inside(script: Script, truth: Truth) -> set[str]:
    """The same on the server, where an answer that never became whole after a silence was lost by that."""
    possible = outcomes(script, truth)
    if truth.silences and truth.outcome in ("ai_error", "cut", "no_answer"):
        # Where the silence cannot be seen it stays what it is.
        possible = {"ai_timeout"} if truth.readable and not truth.command else {"ai_timeout", *possible}
        return possible | ({"ok"} if truth.outcome == "cut" else set())
    return possible


def check_exchange(root: Any, script: Script, truth: Truth, spans: list[Any]) -> None:
    """Each figure of an exchange is the truth, or absent."""
    later = not script.character.in_context
    attributes = dict(root.attributes or {})
    if truth.ignored:
        # A server that would answer such a message, and failed, sends no frame either.
        assert attributes.get(names.OUTCOME) in (None, "no_answer")
        assert not attributes.get(names.STREAM_CHUNKS)
        assert names.TIME_TO_FIRST_CHUNK not in attributes
        assert names.TIMEOUT_RECOVERED not in attributes
        return
    if not truth.numbered and not attributes.get(names.STREAM_CHUNKS):
        # It could not be known whether it is answered, and how: no reply says so. Where another task answers it when
        # its handler is done, it is no different from one that the current generation fails to answer.
        possible = {None, *outcomes_inside(script, truth), *(["no_answer", "ai_timeout"] if later else [])}
        assert attributes.get(names.OUTCOME) in possible
        assert names.TIME_TO_FIRST_CHUNK not in attributes
        return
    assert attributes[names.OUTCOME] in outcomes_inside(script, truth)
    assert attributes[names.DIALECT] == truth.dialect or not truth.dialect
    assert root.start_time == EPOCH + (BEGIN + truth.received) * SECOND
    assert (root.end_time - EPOCH) / SECOND == pytest.approx(BEGIN + truth.completion, abs=CLOSE)
    children = {span.name: span for span in spans if span.parent and span.parent.span_id == root.context.span_id}
    first = None if truth.first is None else truth.first - truth.received
    assert attributes.get(names.TIME_TO_FIRST_CHUNK) in (None, first)
    assert attributes.get(names.STREAM_CHUNKS) in (None, len(truth.chunks))
    if names.SPAN_STREAM in children:
        stream = children[names.SPAN_STREAM]
        assert stream.attributes[names.STREAM_MAX_GAP] == truth.longest_gap
        assert stream.end_time == EPOCH + (BEGIN + truth.chunks[-1]) * SECOND
    phases = {
        span.attributes[names.TIMEOUT_PHASE]
        for span in spans
        if span.name == names.SPAN_AI_TIMEOUT and span.parent.span_id == root.context.span_id
    }
    assert phases <= truth.silences
    if truth.readable:
        # No deadline is set for what looks like a command.
        assert phases == truth.silences or truth.command
        assert attributes.get(names.TIME_TO_FIRST_CHUNK) == first
        assert attributes[names.STREAM_CHUNKS] == len(truth.chunks)
        assert (names.SPAN_STREAM in children) == (len(truth.chunks) > 1)


def check_message(message: Message, script: Script, truth: Truth) -> None:
    """Each figure of the measuring client is the truth, or absent."""
    assert message.outcome in outcomes(script, truth)
    assert message.completed == BEGIN + truth.completion
    assert message.first_chunk in (0.0, BEGIN + (truth.first or 0))
    if message.knows_stream:
        assert message.chunks == len(truth.chunks)
        assert max(message.gaps, default=0) == truth.longest_gap
    if truth.readable:
        assert message.first_chunk == (0.0 if truth.first is None else BEGIN + truth.first)
        assert message.knows_stream


async def check(character: Character, said: list[Said]) -> None:
    """Play a conversation on both sides of the wire and look at each message."""
    script = Script(character, said)
    stage = Stage(script)
    roots = await stage.play()
    assert len(roots) == len(said)
    spans = stage.server.recording.spans()
    # Their ids count up as the messages come in.
    roots = sorted(roots, key=lambda root: root.context.span_id)
    for root, truth in zip(roots, script.truths, strict=True):
        check_exchange(root, script, truth, spans)
        sessions = {None, character.answering}
        if not truth.named or not truth.numbered:
            # No frame shows in time which of the two it went to: then it is where such servers' messages go.
            sessions |= {OWN, character.named}
        assert dict(root.attributes or {}).get(names.SESSION_ID) in sessions
    assert stage.server.state.exchanges == set()
    # This client numbers all its messages.
    if all(each.numbered for each in said):
        for message, truth in zip(converse(script), script.truths, strict=True):
            check_message(message, script, truth)


# --- All traits -----------------------------------------------------------------------------------------------
SESSIONS = (
    {},
    {"socket_owns": True},
    {"names_another": True},
    {"names_another": True, "socket_owns": True},
    {"starts": False},
)
CONVERSATIONS = [
    [Said(), Said(failing=characters.CUT), Said()],
    [Said(failing=characters.NULL), Said(pauses=(1, characters.LONG)), Said(command=True)],
    [Said(numbered=False), Said(), Said(texts=()), Said(failing=characters.STATUS)],
]


@pytest.mark.parametrize("streaming", STREAMING)
async def test_combinations_of_traits_are_read_right(streaming: str) -> None:
    """A third of all that there are, with each pair of traits in them; each on a connection of its own."""
    completions = [(True, characters.BEFORE), *((False, moment) for moment in characters.MOMENTS)]
    switches = itertools.product((False, True), repeat=3)
    greetings = ("", characters.CURRENT, characters.EARLIER)
    combinations = [*itertools.product(completions, switches, SESSIONS, greetings)]
    chance = random.Random(streaming)
    for (replies, moment), switched, sessions, greeting in chance.sample(combinations, len(combinations) // 3):
        in_context, overlapping, repeats = switched
        others = {
            name: chance.random() < 0.5 for name in ("strangers", "answers_unnumbered", "opens_empty", "commands")
        }
        character = Character(
            streaming, replies, moment, in_context, overlapping,
            greeting=greeting, repeats=repeats, **sessions, **others,
        )  # fmt: skip
        await check(character, chance.choice(CONVERSATIONS))


CHARACTERS = st.builds(
    Character,
    streaming=st.sampled_from(STREAMING),
    acknowledged=st.sampled_from(characters.MOMENTS),
    greeting=st.sampled_from(("", characters.CURRENT, characters.EARLIER)),
    **{
        name: st.booleans()
        for name in (
            "replies",
            "in_context",
            "overlapping",
            "socket_owns",
            "names_another",
            "starts",
            "answers_unnumbered",
            "repeats",
            "commands",
            "strangers",
        )  # fmt: skip
    },
)
MESSAGES = st.builds(
    Said,
    texts=st.lists(st.sampled_from(["a ", "\u00e9", '"', "\\", "\n", "w" * 40]), max_size=4).map(tuple),
    pauses=st.lists(st.sampled_from([1, 1, 2, characters.LONG]), max_size=8).map(tuple),
    numbered=st.sampled_from([True, True, True, False]),
    command=st.sampled_from([False, False, False, True]),
    failing=st.sampled_from(["", "", "", *characters.FAILING]),
)


@settings(deadline=None, max_examples=300)
@given(CHARACTERS, st.lists(MESSAGES, min_size=1, max_size=5))
# The session is another one than it seemed, while a second message waits behind the first.
@example(
    Character(overlapping=True, names_another=True, greeting=characters.CURRENT, in_context=False),
    [Said(("a ",), (characters.LONG,)), Said(())],
)
# A silence before frames that nobody can read, and no reply at the end.
@example(
    Character(characters.UNKNOWN, answers_unnumbered=True, greeting=characters.CURRENT),
    [Said(("a ",), (characters.LONG,), numbered=False)],
)
# A message waits behind a long one on a server whose kind does not queue, in a session that no frame has named.
@example(
    Character(overlapping=True, starts=False, in_context=False),
    [Said(()), Said(()), Said((), (characters.LONG,)), Said((), failing=characters.ERROR)],
)
async def test_whatever_a_server_does_no_figure_is_wrong(character: Character, said: list[Said]) -> None:
    """Traits, messages, times and failures, all at will."""
    await check(character, said)
