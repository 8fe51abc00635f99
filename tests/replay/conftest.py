"""What the tests of replaying share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.replay.receiver import Receiver


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver that takes everything."""
    running = Receiver()
    yield running
    running.close()
