"""What load processes report arrives whole, also what comes while it is taken."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from ailoop_otel.measure.load.worker_pool import LoadProcess, WorkerPool


class _Interrupted(dict[str, Any]):
    """A report in whose reading another thread comes first."""

    def __init__(self, fields: dict[str, Any], other: Callable[[], object]) -> None:
        super().__init__(fields)
        self._other = other

    def pop(self, *arguments: Any) -> Any:
        self._other()
        return super().pop(*arguments)


def test_events_that_come_while_others_are_taken_are_not_lost() -> None:
    """A message whose `planned` is lost would end the run at its first chunk, an hour into a soak."""
    process = LoadProcess.__new__(LoadProcess)
    process.events, process.busy, process.observations = deque([["planned", 1, 1]]), [], []
    pool = WorkerPool.__new__(WorkerPool)
    pool.processes = [process]
    taken: list[list[Any]] = []
    fields = {"rows": [], "events": [["planned", 2, 1]], "busy": 0.1}
    process._take(_Interrupted(fields, lambda: taken.extend(pool.events())))
    assert taken + pool.events() == [["planned", 1, 1], ["planned", 2, 1]]
