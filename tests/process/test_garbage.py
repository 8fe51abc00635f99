"""How long garbage collections take."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from ailoop_otel.process.garbage import CollectionPauses


@pytest.fixture
def pauses() -> Iterator[tuple[CollectionPauses, list[int]]]:
    """What observes, and what it has recorded."""
    recorded: list[int] = []
    observer = CollectionPauses(recorded.append)
    yield observer, recorded
    observer.stop()


@pytest.mark.parametrize(("generation", "count"), [(0, 0), (1, 1), (2, 1)])
def test_a_collection_is_timed_unless_of_the_youngest(
    pauses: tuple[CollectionPauses, list[int]], generation: int, count: int
) -> None:
    """The youngest generation is collected often and in no time."""
    observer, recorded = pauses
    observer.start()
    gc.collect(generation)
    observer.stop()
    assert len(recorded) == count
    assert all(nanoseconds > 0 for nanoseconds in recorded)


def test_what_is_stopped_leaves_nothing(pauses: tuple[CollectionPauses, list[int]]) -> None:
    """No callback stays, however often it is stopped."""
    observer, recorded = pauses
    before = list(gc.callbacks)
    observer.start()
    observer.stop()
    observer.stop()
    gc.collect()
    assert gc.callbacks == before
    assert recorded == []


def test_an_end_without_a_beginning_is_not_counted(pauses: tuple[CollectionPauses, list[int]]) -> None:
    """It began before it was observed."""
    observer, recorded = pauses
    observer._observe("stop", {"generation": 2})
    assert recorded == []
