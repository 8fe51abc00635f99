"""Test runs with the pytest plugin in this process, where the libraries are imported already."""

from __future__ import annotations

import pytest

# What a run in this process imports first, it takes away again.
import scipy.stats  # noqa: F401

import ailoop_otel.measure.report.html
import ailoop_otel.measure.testing.chat
import ailoop_otel.measure.testing.summary  # noqa: F401
from ailoop_otel.measure.plugin import RunCollector
from ailoop_otel.measure.results.run import Context, Run

SETTINGS = """[pytest]
filterwarnings = error
asyncio_mode = auto
asyncio_default_fixture_loop_scope = function
addopts = --strict-markers -p no:cacheprovider
"""


class _Kept:
    """Takes the observations from the plugin, so that no report has to be written and read for them."""

    def __init__(self) -> None:
        self.run = Run(Context(""), [])

    def pytest_unconfigure(self, config: pytest.Config) -> None:
        collector = config.pluginmanager.get_plugin("ailoop-collector")
        assert isinstance(collector, RunCollector)
        self.run = Run(Context(""), collector.log.rows)


def timed(pytester: pytest.Pytester, *words: str) -> tuple[pytest.RunResult, Run]:
    """A run in this process, and what its tests timed."""
    kept = _Kept()
    return pytester.runpytest_inprocess(*words, plugins=[kept]), kept.run
