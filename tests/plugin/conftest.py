"""The environment is made once for all tests of a process."""

from __future__ import annotations

import pytest

from tests.plugin.environment import Environment, install


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """A fresh environment with both wheels."""
    return install(tmp_path_factory.mktemp("installed"))
