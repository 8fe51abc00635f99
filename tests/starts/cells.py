"""The cells of the matrix: how a server is started, in which environment, and beside what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

APP = "interactive_server.main:app"
USUAL = "python3.11"
PYTHONS = ("python3.10", "python3.11", "python3.12", "python3.13")
SERVERS, NEIGHBOURS, INTERPRETERS = "Servers", "Beside others in the process", "Pythons"
UVICORN = ("-m", "uvicorn", APP, "--host", "127.0.0.1", "--port", "{port}")
_GUNICORN = ("-m", "gunicorn", "-k", "uvicorn_worker.UvicornWorker", "-b", "127.0.0.1:{port}", APP)
_GRANIAN = ("-m", "granian", "--interface", "asgi", "--host", "127.0.0.1", "--port", "{port}", APP)
_HYPERCORN = ("-m", "hypercorn", "-b", "127.0.0.1:{port}", APP)
# A worker that does not answer in five seconds, as on a busy machine, would be killed and started again.
_TWO = ("--workers", "2", "--timeout-worker-healthcheck", "120")


@dataclass(frozen=True)
class Cell:
    """One way to start it: `arguments` of Python, with `{port}`; `requirements` name the environment.

    `wrapper` is a command of the environment before Python; `packages` are those whose versions the table shows;
    `note` explains there what else would be strange.
    """

    group: str
    title: str
    requirements: str
    arguments: tuple[str, ...]
    packages: tuple[str, ...]
    python: str = USUAL
    wrapper: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    note: str = ""


def _server(title: str, arguments: tuple[str, ...], *packages: str, note: str = "") -> Cell:
    return Cell(SERVERS, title, "servers", arguments, packages, note=note)


def _beside(title: str, requirements: str, program: str, *packages: str, **variables: str) -> Cell:
    arguments = (f"{{programs}}/{program}.py", "{port}")
    return Cell(NEIGHBOURS, title, requirements, arguments, packages, variables=variables)


def _instrumented(name: str) -> Cell:
    package = f"opentelemetry-instrumentation-{name}"
    return _beside(package, "otel", "with_instrumentors", package, INSTRUMENTORS=name)


_INSTRUMENTORS = ("fastapi", "requests", "aiohttp-client", "threading", "logging")
CELLS = (
    _server("`uvicorn`", UVICORN, "uvicorn"),
    _server("`uvicorn --loop uvloop`", (*UVICORN, "--loop", "uvloop"), "uvicorn", "uvloop"),
    _server("`uvicorn --loop asyncio`", (*UVICORN, "--loop", "asyncio"), "uvicorn"),
    _server("`uvicorn --workers 2`", (*UVICORN, *_TWO), "uvicorn"),
    _server("`uvicorn --reload`", (*UVICORN, "--reload"), "uvicorn", "watchfiles"),
    _server("`uvicorn --lifespan off`", (*UVICORN, "--lifespan", "off"), "uvicorn"),
    _server("`python -m interactive_server.main`", ("-m", "interactive_server.main", "--port", "{port}"), "uvicorn"),
    _server("`gunicorn -k uvicorn_worker.UvicornWorker`", _GUNICORN, "gunicorn", "uvicorn-worker"),
    _server("`gunicorn -k … -w 2`", (*_GUNICORN, "-w", "2"), "gunicorn", "uvicorn-worker"),
    _server("`gunicorn -k … -w 2 --preload`", (*_GUNICORN, "-w", "2", "--preload"), "gunicorn", "uvicorn-worker"),
    _server("`hypercorn`", _HYPERCORN, "hypercorn"),
    _server("`hypercorn -w 2`", (*_HYPERCORN, "-w", "2"), "hypercorn"),
    _server("`granian --interface asgi`", _GRANIAN, "granian"),
    _server("`granian --interface asgi --workers 2`", (*_GRANIAN, "--workers", "2"), "granian"),
    _server("`daphne`", ("-m", "daphne", "-b", "127.0.0.1", "-p", "{port}", APP), "daphne"),
    _beside("`sentry_sdk.init`, all traces", "sentry", "with_sentry", "sentry-sdk"),
    Cell(
        NEIGHBOURS,
        "`ddtrace-run`",
        "ddtrace",
        UVICORN,
        ("ddtrace",),
        wrapper=("ddtrace-run",),
        variables={
            "DD_TRACE_AGENT_URL": "http://127.0.0.1:{dead}",
            "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false",
            "DD_REMOTE_CONFIGURATION_ENABLED": "false",
        },
    ),
    _beside("`logfire.configure`, `instrument_fastapi`", "logfire", "with_logfire", "logfire"),
    Cell(
        NEIGHBOURS,
        "`newrelic-admin run-program`",
        "newrelic",
        UVICORN,
        ("newrelic",),
        wrapper=("newrelic-admin", "run-program"),
        # It pretends to send, and sends nothing.
        variables={"NEW_RELIC_DEVELOPER_MODE": "true", "NEW_RELIC_APP_NAME": "chat", "NEW_RELIC_LICENSE_KEY": "0" * 40},
    ),
    _beside("Elastic's `ElasticAPM` middleware", "elastic", "with_elastic", "elastic-apm"),
    *(_instrumented(name) for name in _INSTRUMENTORS),
    _beside(
        "all of these five",
        "otel",
        "with_instrumentors",
        "opentelemetry-instrumentation",
        INSTRUMENTORS=" ".join(_INSTRUMENTORS),
    ),
    Cell(
        NEIGHBOURS,
        "a real `OTEL_CONFIG_FILE`",
        "otel",
        UVICORN,
        ("opentelemetry-configuration",),
        variables={"OTEL_CONFIG_FILE": "{programs}/otel.yaml", "RECEIVER": "{receiver}"},
    ),
    *(
        Cell(INTERPRETERS, python, "python", UVICORN, ("fastapi", "uvicorn", "opentelemetry-sdk"), python)
        for python in PYTHONS
    ),
)
