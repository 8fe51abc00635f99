"""The work that is measured, at its smallest: it counts what came out, and sees what went wrong."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.inside import script
from tests.benchmarks.inside.contender import App, Contender
from tests.benchmarks.inside.contenders.ailoop import spans_in
from tests.benchmarks.inside.works import chunks, exchanges
from tests.benchmarks.inside.works.timeouts import Collections
from tests.benchmarks.measured import Failed, Measured

PYTHON = Path(sys.executable)
EXCHANGE = {"ailoop.first_chunk": 1.0, "ailoop.stream": 1.0, "sendUserMessage": 1.0}


@pytest.fixture(scope="module")
def package() -> Iterator[Measured]:
    """A process with the package."""
    with Measured(PYTHON, "ailoop") as one:
        yield one


def test_an_exchange_gives_three_spans_and_its_frames(package: Measured) -> None:
    """All that the middleware records of it came through the batch processor, encoded."""
    answer = package.ask("exchanges", exchanges=3, chunks=5)
    assert answer["spans"] == EXCHANGE
    assert answer["points"]["ailoop.exchange.duration"] >= 3
    assert (answer["frames"], answer["faults"]) == (True, 0)
    assert answer["cpu"] > 0


def test_the_sdk_alone_records_the_same(package: Measured) -> None:
    """The floor is of the same spans, attribute by attribute."""
    ours = package.ask("exchanges", exchanges=2, chunks=5)
    with Measured(PYTHON, "sdk") as floor:
        theirs = floor.ask("exchanges", exchanges=2, chunks=5)
    assert theirs["shapes"] == ours["shapes"]
    assert theirs["points"].keys() <= ours["points"].keys()


@pytest.mark.parametrize(("variant", "spans"), [("otlp", 9.0), ("defaults", 9.0), ("quiet", 0.0)])
def test_a_peer_does_the_same_work(variant: str, spans: float) -> None:
    """A span for each frame and for the message, or none."""
    with Measured(PYTHON, f"otel_asgi:{variant}") as peer:
        answer = peer.ask("exchanges", exchanges=2, chunks=5)
    assert (sum(answer["spans"].values()), answer["frames"]) == (spans, True)


def test_the_files_are_counted() -> None:
    """The embedded default's spans are read from its files."""
    with Measured(PYTHON, "ailoop:files") as one:
        assert one.ask("exchanges", exchanges=2, chunks=5)["spans"] == EXCHANGE


def test_a_line_that_is_being_written_is_not_read(tmp_path: Path) -> None:
    """Until its end is there; what other files hold is read meanwhile."""
    line = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [{"name": "a"}]}]}]})
    (tmp_path / "traces.jsonl").write_text(f"{line}\n{line[:20]}")
    (tmp_path / "metrics.jsonl").write_text("")
    assert spans_in(tmp_path) == {"a": 1}
    (tmp_path / "traces.jsonl").write_text(f"{line}\n{line}\n")
    assert spans_in(tmp_path) == {"a": 2}


def test_a_chunk_is_compared_with_none(package: Measured) -> None:
    """In one process beside no middleware and the least."""
    answer = package.ask("chunks", size=300, exchanges=2, rounds=1)
    assert {name: len(costs) for name, costs in answer["costs"].items()} == {"nothing": 1, "least": 1, "this": 1}
    assert (answer["frames"], answer["spans"]) == (True, 1.0)
    retained = package.ask("retained", chunks=200)
    assert retained["held"] > 0
    # An exchange holds a few numbers of its longest gap, and threads have theirs; what chunks leave would be 200.
    assert retained["blocks"] < 20


def test_sessions_are_weighed_and_timed(package: Measured) -> None:
    """At rest, with an exchange open, and answering."""
    weight = package.ask("crowd", sessions=20)
    assert 0 < weight["rest"] < weight["open"]
    assert (weight["frames"], weight["spans"]["ailoop.first_chunk"]) == (True, 20)
    answer = package.ask("crowd", sessions=3, exchanges=3, chunks=5)
    assert (answer["spans"], answer["frames"]) == (EXCHANGE, True)


@pytest.mark.parametrize("how", ["busy", "at once"])
def test_every_timeout_is_told(how: str) -> None:
    """Once, and not before its deadline."""
    variables = {"AILOOP_OTEL_AI_TIMEOUT_FIRST_CHUNK": "0.3"}
    with Measured(PYTHON, "ailoop", variables) as one:
        answer = one.ask("timeouts", how=how, exchanges=10, deadline=0.3, opening=0.1)
    assert (len(answer["noticed"]), len(answer["told"]), answer["spans"]) == (10, 10, 10)
    assert min(answer["noticed"]) >= 0
    assert all(0 <= beside <= noticed for beside, noticed in zip(answer["beside"], answer["noticed"], strict=True))


def test_what_the_garbage_collector_held_up_is_known() -> None:
    """To the part of it that lies between a deadline and its being noticed."""
    collections = Collections()
    collections.times = [(100, 200), (300, 350)]
    assert [collections.between(*span) for span in ((0, 50), (0, 150), (150, 320), (0, 1000))] == [0, 50, 70, 150]
    assert collections.longest == 100 / 1e9


def test_what_cannot_be_measured_says_why() -> None:
    """An unknown contender, and work that fails."""
    with pytest.raises(Failed, match="No module named"), Measured(PYTHON, "unheard_of"):
        pass
    with Measured(PYTHON, "nothing") as one, pytest.raises(Failed, match="nothing: ZeroDivisionError"):
        one.ask("exchanges", exchanges=0, chunks=1)


class Spoiling(Contender):
    """Does something to the frames."""

    def __init__(self, spoil: Any) -> None:
        self._spoil = spoil

    def around(self, application: App) -> App:
        """With what it does to each message sent."""

        async def wrapped(scope: Any, receive: Any, send: Any) -> None:
            async def spoiled(message: Any) -> None:
                for each in self._spoil(message):
                    await send(each)

            await application(scope, receive, spoiled)

        return wrapped


@pytest.mark.parametrize(
    "spoil",
    [
        lambda message: [] if "Channel" in message.get("text", "") else [message],
        lambda message: [message] * (2 if "Channel" in message.get("text", "") else 1),
        lambda message: [{**message, "text": message["text"] + " "}] if "text" in message else [message],
    ],
    ids=["lost", "doubled", "changed"],
)
def test_a_frame_that_is_not_intact_is_seen(spoil: Any) -> None:
    """Lost, doubled, or no longer what was sent."""
    assert exchanges.run(Contender(), 1, 2)["frames"]
    assert not exchanges.run(Spoiling(spoil), 1, 2)["frames"]


def test_a_chunk_that_never_arrived_is_seen() -> None:
    """The last one timed is looked at."""
    assert chunks.run(Contender(), 300, 1, 1)["frames"]
    assert not chunks.run(Spoiling(lambda message: []), 300, 1, 1)["frames"]


@pytest.mark.parametrize("size", [100, 1000, 1 << 20])
def test_frames_have_their_size_and_grow(size: int) -> None:
    """From the size asked for, by one character each."""
    frames = chunks.sized(size)
    assert [len(frame) for frame in frames] == [*range(size, size + chunks.CHUNKS + 1)]
    assert all(frame.startswith(script.HEAD) for frame in frames)
