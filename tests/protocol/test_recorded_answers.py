"""What the recorded conversations come to, worked out by reading them: both readers of answers are held to it.

Server and client share one reader, so that they agree proves nothing. The figures here were taken from the transcripts
by hand: the comments number the entries of each file from 0. All times are the transcript's own `t`, seconds.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import pytest

from ailoop_otel import names
from ailoop_otel.measure.client.conversation import Conversation
from ailoop_otel.measure.client.message import Message
from tests.ailoop.process import DELEGATES, STATELESS
from tests.ailoop.transcripts import load
from tests.recorder import EPOCH
from tests.scripted import Server
from tests.wire.test_transcripts import Player

BEGIN = 1_000.0  # what the clocks show at the transcript's 0: 0 itself stands for never
CLOSE = 2e-6  # no span has zero length


class Truth(NamedTuple):
    """What became of one message. `received` is when the server's handler took it, which may be busy when it comes."""

    sent: float
    received: float
    first: float | None
    last: float | None
    chunks: int
    longest_gap: float
    completion: float
    outcome: str


TRUTHS = {
    (STATELESS, "plain"): [
        # Sent by 4. Updates 5, 6, 7: .1583 .2183 .2791, gaps .0600 .0608. 8 is 7 again, 9 the text again, 10 the reply.
        Truth(0.0981, 0.0981, 0.1583, 0.2791, 3, 0.0608, 0.2825, "ok"),
    ],
    (STATELESS, "tool_call"): [
        # Sent by 4. 5 has no text: the tool. Updates 6, 7, 8: .1329 .1333 .1340. 9 is 8 again, 11 the reply.
        Truth(0.0109, 0.0109, 0.1329, 0.1340, 3, 0.0007, 0.1362, "ok"),
    ],
    (STATELESS, "tool_call_with_text"): [
        # Sent by 4. Updates 5, 6, 7: .0612 .0614 .0617; 8 is 7 again, 9 the text. After the tools updates 10, 11: .1227
        # .1229, gap .0610; 12 is 11 again, 13 the text, 14 the reply.
        Truth(0.0071, 0.0071, 0.0612, 0.1229, 5, 0.0610, 0.1249, "ok"),
    ],
    (STATELESS, "structured"): [
        # Sent by 4. Updates 5, 6, 7: .0658 .0658 .0659; such are not sent again. 8 is the text, 9 the reply.
        Truth(0.0081, 0.0081, 0.0658, 0.0659, 3, 0.0001, 0.0659, "ok"),
    ],
    (STATELESS, "continuation"): [
        # Sent by 4. The first step streams nothing, so its text 5 is the first chunk: .0696. The second step's updates
        # 6, 7, 8: .1221 .1227 .1234, gap .0525. 9 is 8 again, 10 the text, 11 the reply.
        Truth(0.0119, 0.0119, 0.0696, 0.1234, 4, 0.0525, 0.1251, "ok"),
    ],
    (STATELESS, "cut"): [
        # Sent by 4. Updates 5, 6: .0691 .1288. 6 never comes again: 7 is the text, 8 the reply.
        Truth(0.0139, 0.0139, 0.0691, 0.1288, 2, 0.0597, 0.1936, "cut"),
    ],
    (STATELESS, "joined_end"): [
        # Sent by 4. Updates 5, 6: .1510 .1511. 7 only has the last piece of 6 a second time. 9 is the reply.
        Truth(0.0960, 0.0960, 0.1510, 0.1511, 2, 0.0001, 0.1528, "ok"),
    ],
    (STATELESS, "two_turns"): [
        # Sent by 4. Updates 5, 6: .0646 .0650. 7 is 6 again, 8 the text, 9 the reply.
        Truth(0.0110, 0.0110, 0.0646, 0.0650, 2, 0.0004, 0.0670, "ok"),
        # Sent by 10. Updates 11, 12, 13: .1208 .1225 .1226. 14 is 13 again, 15 the text, 16 the reply.
        Truth(0.0673, 0.0673, 0.1208, 0.1226, 3, 0.0017, 0.1230, "ok"),
    ],
    (STATELESS, "reasoning"): [
        # Sent by 4. Reasoning is streamed as text: updates 5 to 8: .0706 .0707 .0707 .0707. 9 is 8 again, 11 the reply.
        Truth(0.0109, 0.0109, 0.0706, 0.0707, 4, 0.0001, 0.0713, "ok"),
    ],
    (STATELESS, "one_chunk"): [
        # Sent by 4. Update 5: .0630. 6 is 5 again, 7 the text, 8 the reply.
        Truth(0.0105, 0.0105, 0.0630, 0.0630, 1, 0.0, 0.0654, "ok"),
    ],
    (STATELESS, "queued"): [
        # Sent by 4, 5, 6 at once; each is received when the reply before it is out: 11, 16, 21.
        # Updates 7, 8: .0708 .0708. 9 is 8 again.
        Truth(0.0114, 0.0114, 0.0708, 0.0708, 2, 0.0, 0.0709, "ok"),
        # Updates 12, 13: .1250 .1251. 14 is 13 again.
        Truth(0.0115, 0.0709, 0.1250, 0.1251, 2, 0.0001, 0.1270, "ok"),
        # Updates 17, 18: .1391 .1396. 19 is 18 again.
        Truth(0.0116, 0.1270, 0.1391, 0.1396, 2, 0.0005, 0.1409, "ok"),
    ],
    (DELEGATES, "plain"): [
        # Sent by 3, acknowledged by 4. Pieces 5, 6, 7: .0592 .1191 .1798, gaps .0599 .0607. 8 is 7 again, and final.
        Truth(0.0019, 0.0019, 0.0592, 0.1798, 3, 0.0607, 0.2816, "ok"),
    ],
    (DELEGATES, "joined_end"): [
        # Sent by 3. Pieces 5, 6: .0558 .1075. 7 is 6 again, and final.
        Truth(0.0020, 0.0020, 0.0558, 0.1075, 2, 0.0517, 0.1583, "ok"),
    ],
    (DELEGATES, "two_turns"): [
        # Sent by 3. Pieces 5, 6: .0535 .1050. 7 is final.
        Truth(0.0019, 0.0019, 0.0535, 0.1050, 2, 0.0515, 0.2070, "ok"),
        # Sent by 8. Pieces 10, 11, 12: .2610 .3128 .3642, gaps .0518 .0514. 13 is final.
        Truth(0.2072, 0.2072, 0.2610, 0.3642, 3, 0.0518, 0.4663, "ok"),
    ],
    (DELEGATES, "timeout"): [
        # Sent by 3. Pieces 5, 6: .0091 .0607. 7 says status 3, timeout.
        Truth(0.0014, 0.0014, 0.0091, 0.0607, 2, 0.0516, 10.0042, "ai_timeout"),
    ],
    (DELEGATES, "reasoning"): [
        # Sent by 3. Reasoning is not sent. Pieces 5, 6: .1530 .2039. 7 is final.
        Truth(0.0014, 0.0014, 0.1530, 0.2039, 2, 0.0509, 0.3060, "ok"),
    ],
    (DELEGATES, "one_chunk"): [
        # Sent by 3. Piece 5: .0561. 6 is 5 again, and final.
        Truth(0.0016, 0.0016, 0.0561, 0.0561, 1, 0.0, 0.1581, "ok"),
    ],
    (DELEGATES, "queued"): [
        # Sent by 3, 4, 5 at once, and acknowledged by 6, 7, 8: received at once too.
        # Pieces 9, 10: .0567 .1079. 11 is final.
        Truth(0.0018, 0.0018, 0.0567, 0.1079, 2, 0.0512, 0.2099, "ok"),
        # Pieces 12, 13: .2189 .2700. 14 is final.
        Truth(0.0020, 0.0031, 0.2189, 0.2700, 2, 0.0511, 0.3720, "ok"),
        # Pieces 15, 16: .4241 .4755. 17 is final.
        Truth(0.0021, 0.0038, 0.4241, 0.4755, 2, 0.0514, 0.5835, "ok"),
    ],
    (DELEGATES, "cut"): [
        # Sent by 3. Pieces 5, 6: .0552 .1150. 7 says status 3, an error.
        Truth(0.0016, 0.0016, 0.0552, 0.1150, 2, 0.0598, 0.1790, "ai_error"),
    ],
    (DELEGATES, "structured"): [
        # Sent by 3. Pieces 5 to 12: .0576 .1111 .1622 .2141 .2648 .3161 .3672 .4189, gap .0535. 13 is final.
        Truth(0.0026, 0.0026, 0.0576, 0.4189, 8, 0.0535, 0.5204, "ok"),
    ],
    (DELEGATES, "tool_call"): [
        # Sent by 3. No piece: 5 says status 3, an error.
        Truth(0.0021, 0.0021, None, None, 0, 0.0, 0.1047, "ai_error"),
    ],
}  # fmt: skip
CASES = [pytest.param(*case, id="-".join(case)) for case in TRUTHS]


def near(value: float | None) -> Any:
    """A time of the transcript, as the clocks showed it."""
    return None if value is None else pytest.approx(BEGIN + value, abs=CLOSE)


@pytest.mark.parametrize(("dialect", "name"), CASES)
async def test_the_instrumentation_comes_to_the_truth(dialect: str, name: str) -> None:
    """Spans and attributes of each message, as they are exported."""
    server = Server()
    await Player(server, dialect).play(load(dialect, name))
    spans = server.recording.spans()

    def child(parent: Any, name: str) -> Any:
        for span in spans:
            if span.name == name and span.parent is not None and span.parent.span_id == parent.context.span_id:
                return span
        return None

    def seconds(time: int | None) -> float:
        assert time is not None
        return (time - EPOCH) / 1e9

    roots = [span for span in spans if span.name == "sendUserMessage"]
    for root, truth in zip(roots, TRUTHS[dialect, name], strict=True):
        attributes = dict(root.attributes or {})
        received = seconds(root.start_time)
        assert received == near(truth.received)
        assert seconds(root.end_time) == near(truth.completion)
        assert attributes[names.OUTCOME] == truth.outcome
        assert attributes[names.STREAM_CHUNKS] == truth.chunks
        first, stream = child(root, names.SPAN_FIRST_CHUNK), child(root, names.SPAN_STREAM)
        assert (first and seconds(first.end_time)) == near(truth.first)
        taken = attributes.get(names.TIME_TO_FIRST_CHUNK)
        assert (taken and received + taken) == near(truth.first)
        assert (stream is None) == (truth.chunks < 2)
        if stream is not None:
            assert (seconds(stream.start_time), seconds(stream.end_time)) == (near(truth.first), near(truth.last))
            assert stream.attributes[names.STREAM_MAX_GAP] == pytest.approx(truth.longest_gap, abs=CLOSE)


@pytest.mark.parametrize(("dialect", "name"), CASES)
def test_the_measuring_client_comes_to_the_truth(dialect: str, name: str) -> None:
    """The same messages, as a load report has them."""
    sent: list[str] = []
    conversation = Conversation(sent.append)
    messages: list[Message] = []
    for entry in load(dialect, name):
        at, text = BEGIN + entry["t"], entry["text"]
        if entry["direction"] == "in":
            conversation.take(text, at)
            continue
        asked = json.loads(text)
        if asked["method"] == "sendUserMessage":
            messages.append(Message(at))
            conversation.ask(messages[-1], asked["params"]["sessionId"], asked["params"]["message"], at)
        else:
            conversation.call(asked["method"], asked["params"], lambda frame: None)
        # So that the replies of the transcript are for this client's requests.
        assert json.loads(sent[-1])["id"] == asked["id"]
    for message, truth in zip(messages, TRUTHS[dialect, name], strict=True):
        assert message.sent == near(truth.sent)
        assert message.completed == near(truth.completion)
        assert message.outcome == truth.outcome
        assert message.chunks == truth.chunks
        assert (message.first_chunk or None) == near(truth.first)
        assert max(message.gaps, default=0.0) == pytest.approx(truth.longest_gap, abs=CLOSE)
        assert len(message.gaps) == max(0, truth.chunks - 1)
        if truth.last is not None:
            assert message.last == near(truth.last)
            assert message.max_gap == pytest.approx(truth.longest_gap, abs=CLOSE)
