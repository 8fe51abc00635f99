"""What a chunk costs beyond no middleware: CPU of the thread that sends, side by side in one process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from tests.benchmarks.inside import script
from tests.benchmarks.inside.contender import Contender, contender

CHUNKS = 100
_BESIDE = ("nothing", "least")


def run(one: Contender, size: int, exchanges: int, rounds: int) -> dict[str, Any]:
    """Send answers of 100 chunks of `size` to `size` + 100 characters; lists of ns per chunk, one for each round.

    An answer's first chunk is not timed: it makes a span, and is part of what an exchange costs.
    """
    runners = {name: contender(name) for name in _BESIDE} | {"this": one}
    frames = sized(size)
    costs: dict[str, list[float]] = {name: [] for name in runners}
    whole = True
    for number in range(rounds + 1):
        for name in sorted(runners, key=lambda name, turn=number: (len(name) + turn) % len(runners)):  # type: ignore[misc]
            stream = Stream(frames, exchanges)
            asyncio.run(runners[name].around(stream.application)(script.scope(), stream.receive, stream.send))
            whole = whole and stream.whole
            if number:
                costs[name].append(stream.spent / (exchanges * CHUNKS))
        one.spans()
        spans = one.take().spans
    return {"costs": costs, "frames": whole, "spans": spans.get("ailoop.stream", 0) / exchanges}


def sized(size: int) -> list[str]:
    """Frames of growing length, as cumulative ones are: one that is not timed and 100 that are."""
    tail = script.update("")[len(script.HEAD) :]
    short = '"}}'
    frames = []
    for length in range(size, size + CHUNKS + 1):
        end = tail if length > len(script.HEAD) + len(tail) + 8 else short
        frames.append(script.HEAD + "x" * (length - len(script.HEAD) - len(end)) + end)
    return frames


class Stream(script.Socket):
    """A connection whose server looks at the clock before and after it sends an answer's chunks."""

    def __init__(self, frames: Sequence[str], exchanges: int) -> None:
        steps = [script.start(), *(script.message(number, frames) for number in range(exchanges))]
        super().__init__(steps)
        self.spent = 0
        self._frames = frames
        self._expected = 1 + sum(len(frames) for _, frames in steps)
        self._last: Any = None

    async def send(self, sent: dict[str, Any]) -> None:
        """A message has reached the network."""
        self.sent += 1
        self._last = sent

    @property
    def whole(self) -> bool:
        """Whether all arrived."""
        return self.sent == self._expected

    async def application(self, scope: Any, receive: Any, send: Any) -> None:
        """As the other, with the time taken; the messages are ready, so that only sending them is timed."""
        await receive()
        await send({"type": "websocket.accept"})
        ready = [{"type": "websocket.send", "text": frame} for frame in self._frames[1:]]
        while True:
            received = await receive()
            if received["type"] == "websocket.disconnect":
                return
            if "sendUserMessage" not in received["text"]:
                for text in self.frames:
                    await send({"type": "websocket.send", "text": text})
                continue
            await send({"type": "websocket.send", "text": self._frames[0]})
            began = time.thread_time_ns()
            for message in ready:
                await send(message)
            self.spent += time.thread_time_ns() - began
            if self._last is not ready[-1]:
                self._expected = -1
            await send({"type": "websocket.send", "text": self.frames[-1]})
