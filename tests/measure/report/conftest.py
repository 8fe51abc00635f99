"""What is slow to make is made once."""

from __future__ import annotations

import pytest

from ailoop_otel.measure.report.digest import Digest, digest
from ailoop_otel.measure.report.page import document
from ailoop_otel.measure.report.plots import plots
from ailoop_otel.measure.report.plots.canvas import Plot
from tests.measure.report import sample


@pytest.fixture(scope="session")
def everything() -> Digest:
    """A run with everything, and a judgement."""
    return digest(sample.mixed(240, failing=0.15), sample.judgement())


@pytest.fixture(scope="session")
def drawn(everything: Digest) -> list[Plot]:
    """All of its plots."""
    return plots(everything)


@pytest.fixture(scope="session")
def html(everything: Digest) -> str:
    """Its page."""
    return document(everything)
