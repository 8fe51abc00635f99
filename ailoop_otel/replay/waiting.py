"""What of a recording a collector has not acknowledged yet."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from pathlib import Path

from ailoop_otel.replay.acknowledged import NAME, Acknowledged, Unrecorded
from ailoop_otel.replay.export_request import parse, read_lines
from ailoop_otel.settings import UsageError


def waiting(path: Path, destination: str) -> int:
    """How many records of a file a destination has not acknowledged; while it is being sent, how many there are.

    Raises OSError if the file cannot be read.
    """
    state = path.absolute().parent / NAME
    with ExitStack() as stack:
        acknowledged: Acknowledged | Unrecorded = Unrecorded()
        if state.exists():
            with suppress(UsageError):
                acknowledged = stack.enter_context(Acknowledged(state, destination))
        lines = (line.content for line in read_lines(path) if line.ended and not line.too_long)
        found = (parse(content) for content in lines if content and not acknowledged.holds(content))
        return sum(request.points for request in found if request is not None)
