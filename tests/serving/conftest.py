"""Servers to talk to: the stand-ins always, the real ones where AILOOP_CHECKOUT names their checkouts."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.ailoop.process import DELEGATES, MIXED, STATELESS, Installation, Server, checkout, serving, standin
from tests.ailoop.provider import Provider
from tests.serving.folder import Folder

ROOT = Path(__file__).parent.parent.parent
CHECKOUTS = [path for path in os.environ.get("AILOOP_CHECKOUT", "").split(os.pathsep) if path]
PYTHON = os.environ.get("AILOOP_PYTHON", sys.executable)
Serve = Callable[..., Server]
Share = Callable[..., "Shared"]
# What ended is exported at once: who waits for it waits for nothing else.
SOON = {"OTEL_BSP_SCHEDULE_DELAY": "50", "OTEL_BLRP_SCHEDULE_DELAY": "50"}


def _installations() -> list[pytest.param]:
    standins = [pytest.param(standin(dialect), id=f"standin-{dialect}") for dialect in (STATELESS, DELEGATES)]
    real = [checkout(path, PYTHON) for path in CHECKOUTS]
    marked = [pytest.param(each, id=f"real-{each.dialect}", marks=pytest.mark.real_ailoop) for each in real]
    if not marked:
        reason = "AILOOP_CHECKOUT is not set"
        marks = [pytest.mark.real_ailoop, pytest.mark.skip(reason=reason)]
        marked = [
            pytest.param(standin(dialect), id=f"real-{dialect}", marks=marks) for dialect in (STATELESS, DELEGATES)
        ]
    return standins + marked


@pytest.fixture(params=_installations())
def installation(request: pytest.FixtureRequest) -> Installation:
    """Each server there is, of both generations."""
    return _fit(request, request.param)


@pytest.fixture
def stateless(installation: Installation) -> Installation:
    """The current generation only."""
    return _only(installation, STATELESS)


@pytest.fixture
def delegates(installation: Installation) -> Installation:
    """The earlier generation only."""
    return _only(installation, DELEGATES)


@pytest.fixture
def mixed() -> Installation:
    """The stand-in of mixed traits."""
    return standin(MIXED)


def _only(installation: Installation, dialect: str) -> Installation:
    if installation.dialect != dialect:
        pytest.skip(f"about the dialect {dialect}")
    return installation


def _fit(request: pytest.FixtureRequest, installation: Installation) -> Installation:
    if request.node.get_closest_marker("real_ailoop"):
        request.getfixturevalue("wheel_installed")
    return installation


@pytest.fixture(scope="session")
def wheel_installed(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The package as a wheel in the real server's environment, with what its users would install beside it."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", str(folder), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    pip = [sys.executable, "-m", "pip", "--python", PYTHON, "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, str(wheel), "opentelemetry-instrumentation-fastapi", "opentelemetry-distro"], check=True)
    subprocess.run([*pip, "--force-reinstall", "--no-deps", str(wheel)], check=True)


def blameless(server: Server) -> None:
    """The package had no fault of its own in this server."""
    assert "a fault of its own" not in server.output(), server.output()


@pytest.fixture
def provider() -> Iterator[Provider]:
    """The AI's provider."""
    with Provider() as provider:
        yield provider


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """Where the server's telemetry goes."""
    return Folder(tmp_path / "telemetry")


@pytest.fixture
def serve(provider: Provider, folder: Folder, tmp_path: Path) -> Iterator[Serve]:
    """Start a server as its users do, with environment variables added; it is stopped in any case."""
    with ExitStack() as stack:

        def start(
            installation: Installation, *arguments: str, wrapper: tuple[str, ...] = (), **variables: str
        ) -> Server:
            return _started(stack, installation, provider, folder, tmp_path, arguments, wrapper, variables)

        yield start


class Shared(NamedTuple):
    """A server that several tests talk to: its folder has what began since the test did."""

    server: Server
    folder: Folder
    provider: Provider


@pytest.fixture(scope="module")
def _servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Share]:
    """The servers of a module, each started for the first test that asks for it."""
    running: dict[object, Shared] = {}
    with ExitStack() as stack:

        def share(installation: Installation, **variables: str) -> Shared:
            key = (installation.root, *sorted(variables.items()))
            if key not in running:
                home = tmp_path_factory.mktemp("shared")
                provider, folder = stack.enter_context(Provider()), Folder(home / "telemetry")
                server = _started(stack, installation, provider, folder, home, (), (), variables)
                running[key] = Shared(server, folder, provider)
            return running[key]

        yield share


@pytest.fixture
def share(_servers: Share) -> Share:
    """As `serve`, for a test that leaves the server as it was: the server is the one of the tests before it."""

    def shared(installation: Installation, **variables: str) -> Shared:
        server, folder, provider = _servers(installation, **variables)
        return Shared(server, Folder(folder.path, time.time()), provider)

    return shared


def _started(
    stack: ExitStack,
    installation: Installation,
    provider: Provider,
    folder: Folder,
    home: Path,
    arguments: Sequence[str],
    wrapper: Sequence[str],
    variables: Mapping[str, str],
) -> Server:
    is_standin = installation.root.is_relative_to(ROOT)
    environment = provider.plain_environment() if is_standin else provider.environment()
    added = {
        **environment,
        "AILOOP_OTEL_ENABLED": "true",
        "AILOOP_OTEL_DIRECTORY": str(folder.path),
        "HOME": str(home),
        **SOON,
        **variables,
    }
    server = stack.enter_context(serving(installation, added, arguments=arguments, wrapper=wrapper))
    # Before it is stopped: the current generation waits for answers that it is giving.
    stack.callback(provider.release)
    stack.callback(lambda: blameless(server))
    return server
