"""Whether a chunk leaves anything behind: memory of the package's own after many chunks and after many more."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from typing import Any

from tests.benchmarks.inside import script
from tests.benchmarks.inside.contender import Contender

_PACKAGE = "*/ailoop_otel/*"


def run(contender: Contender, chunks: int) -> dict[str, Any]:
    """One answer of twice `chunks` chunks; blocks and bytes that the second half left, whoever freed the others."""
    seen: list[tuple[int, int]] = []
    frames = [script.update("x" * number) for number in range(1, 2 * chunks + 1)]
    step = script.message(1, frames)

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await receive()
        for text in socket.frames:
            await send({"type": "websocket.send", "text": text})
        await receive()
        for number, text in enumerate(socket.frames):
            await send({"type": "websocket.send", "text": text})
            if number + 1 in (chunks, 2 * chunks):
                # What the first chunk put down is recorded a little later, wherever the chunks are by then.
                contender.spans()
                seen.append(_held())
        await receive()

    socket = script.Socket([script.start(), step])
    tracemalloc.start()
    try:
        asyncio.run(contender.around(application)(script.scope(), socket.receive, socket.send))
    finally:
        tracemalloc.stop()
    (blocks, size), (blocks_later, size_later) = seen
    contender.spans()
    spans = contender.take().spans
    return {
        "chunks": chunks,
        "held": blocks,
        "blocks": blocks_later - blocks,
        "bytes": size_later - size,
        "spans": spans.get("ailoop.stream", 0),
    }


def _held() -> tuple[int, int]:
    gc.collect()
    taken = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(True, _PACKAGE)])
    statistics = taken.statistics("filename")
    return sum(each.count for each in statistics), sum(each.size for each in statistics)
