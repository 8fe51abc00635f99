"""What tests of the measuring kit share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.measure.scripted_server import Scripted, scripted


@pytest.fixture(scope="session")
def answering() -> Iterator[Scripted]:
    """A scripted server for all tests of a process, which answers as each message asks."""
    with scripted() as server:
        yield server
