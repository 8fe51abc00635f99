"""Every test: our code may not block an event loop, and what belongs to the whole process is put back."""

from __future__ import annotations

import inspect
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from blockbuster import blockbuster_ctx
from opentelemetry import _logs, context, metrics, trace
from opentelemetry.util._once import Once

from ailoop_otel.tracking.exchange import CURRENT

# Compiled modules are kept, whatever the environment says: container images switch that off, and then each of the
# hundreds of interpreters that the tests start compiles the package, and pytest all tests.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

pytest_plugins = ["tests.reliability.faults"]

_PROVIDERS = (
    (trace, "_TRACER_PROVIDER"),
    (metrics._internal, "_METER_PROVIDER"),
    (_logs._internal, "_LOGGER_PROVIDER"),
)
# Where tests start real processes and wait for them: what the machine does besides can make one of a thousand late.
_PROCESSES = frozenset({"benchmarks", "doctor", "kill", "measure", "plugin", "replay", "serving", "stack", "switching"})


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """On CI a failed test of real processes is run once more, and the summary names it; elsewhere it just fails."""
    if os.environ.get("CI") != "true" or not config.pluginmanager.hasplugin("rerunfailures"):
        return
    for item in items:
        if item.path.relative_to(Path(__file__).parent).parts[0] in _PROCESSES:
            item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.fixture(autouse=True)
def _no_blocking(request: pytest.FixtureRequest) -> Iterator[None]:
    """What would make the event loop wait raises, if code of ours is on the stack."""
    if not inspect.iscoroutinefunction(getattr(request, "function", None)):
        yield
        return
    with blockbuster_ctx("ailoop_otel"):
        yield


@pytest.fixture(autouse=True)
def _put_back(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Environment, global providers, contexts, loggers' levels."""
    for name in list(os.environ):
        if name.startswith(("OTEL_", "AILOOP_OTEL_")):
            monkeypatch.delenv(name)
    # OpenTelemetry has no way to take a global provider back, so its own memory is put aside.
    for module, provider in _PROVIDERS:
        monkeypatch.setattr(module, provider, None)
        monkeypatch.setattr(module, f"{provider}_SET_ONCE", Once())
    levels = {name: logging.getLogger(name).level for name in ("", "ailoop_otel", "opentelemetry")}
    current, attached = CURRENT.get(), context.get_current()
    yield
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    CURRENT.set(current)
    context.attach(attached)
