"""The real programs, started once for all tests that need them; missing ones fail where CI=true, and skip elsewhere."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from collector.stack import MissingProgram, Stack, free_ports, has_prometheus, jaeger, prometheus
from tests.ailoop.provider import Provider
from tests.stack.backends import Jaeger, Prometheus
from tests.stack.flood import provider_process
from tests.stack.watched import First, first, watched

HERE = Path(__file__).parent
TOLD = "told"
Tell = Callable[[str], None]
PATIENCE = 900  # seconds, for a first build of Jaeger inside a test


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is in this folder."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.backend)


@pytest.fixture
def tell(record_property: Callable[[str, object], None]) -> Tell:
    """Say what a person who runs the tests wants to see at their end; also out of a worker of xdist."""
    return lambda text: record_property(TOLD, text)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What the tests that passed have told."""
    for report in terminalreporter.getreports("passed"):
        for name, text in report.user_properties:
            if name == TOLD:
                terminalreporter.write_line(str(text))


def required(program: Callable[[], Path]) -> Path:
    """The program, or the end of the test that needs it."""
    try:
        return program()
    except MissingProgram as missing:
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI needs every real program. {missing}")
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def jaeger_program() -> Path:
    """The Jaeger program, which is the collector as well."""
    return required(jaeger)


@pytest.fixture(scope="session")
def prometheus_program() -> Path:
    """The Prometheus program."""
    return required(prometheus)


@pytest.fixture(scope="session")
def stack(jaeger_program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Collector, Jaeger and, where it is there, Prometheus as they are shipped, on ports of their own."""
    with Stack(tmp_path_factory.mktemp("stack"), free_ports(), with_prometheus=has_prometheus()) as running:
        yield running


@pytest.fixture(scope="session")
def traces(stack: Stack) -> Jaeger:
    """Jaeger's query API."""
    return Jaeger(stack.ports.jaeger)


@pytest.fixture(scope="session")
def metrics(stack: Stack, prometheus_program: Path) -> Prometheus:
    """Prometheus' query API."""
    return Prometheus(stack.ports.prometheus)


@pytest.fixture(scope="session")
def provider() -> Iterator[Provider]:
    """The scripted AI provider."""
    with Provider() as running:
        yield running


@pytest.fixture(scope="module")
def answering() -> Iterator[dict[str, str]]:
    """A provider in a process of its own that answers in three chunks; gives the variables for the stand-in."""
    with provider_process("say chunks=3 gap=0.002") as variables:
        yield variables


@pytest.fixture(scope="session")
def newcomer(stack: Stack, provider: Provider, metrics: Prometheus) -> Iterator[First]:
    """A server that was never heard of before, and has had one message."""
    with first(stack, provider) as said:
        yield said


@pytest.fixture(scope="session")
def busy(stack: Stack, provider: Provider, metrics: Prometheus, newcomer: First) -> Iterator[None]:
    """A server with something going on for every panel and every alert; the newcomer's message travels meanwhile."""
    with watched(stack, provider, metrics):
        yield
