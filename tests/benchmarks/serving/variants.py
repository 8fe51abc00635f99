"""The ways in which the real server is run beside each other: without anything, with the package, with others."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ailoop_otel.names import FAST_PATHS
from tests.ailoop.process import Installation, Server, checkout
from tests.benchmarks.environments import OURS, Environments
from tests.benchmarks.serving.sink import Sink

WITHOUT, NONE, NO_HOOKS, FILES, OTLP = "without", "none", "no hooks", "files", "otlp"
LESS = "less "  # and the name of a fast path
OTEL, LOGFIRE, DATADOG = "opentelemetry", "logfire", "ddtrace"
PEERS = (OTEL, LOGFIRE, DATADOG)
# How each is named in the table.
TITLES = {
    WITHOUT: "without",
    NONE: "ailoop-otel, exporters none",
    NO_HOOKS: "ailoop-otel, files, no hooks inside",
    FILES: "ailoop-otel, files",
    OTLP: "ailoop-otel, OTLP",
    OTEL: "OpenTelemetry's instrumentation",
    LOGFIRE: "logfire",
    DATADOG: "ddtrace",
}
_STARTS = Path(__file__).parent / "starts"
_SWITCH = "AILOOP_OTEL_ENABLED"
_FAST = "AILOOP_OTEL_FAST_PATHS"
_SIGNALS = ("TRACES", "METRICS", "LOGS")
# The fast path of an exporter shows where that exporter is used.
_OF_OTLP = ("protobuf",)


@dataclass(frozen=True)
class Variant:
    """One way to run it: whose environment, a command before it, a program of `starts` in its place, variables.

    In variables `{folder}` is a folder of its own, `{sink}` the backend's address.
    """

    name: str
    environment: str | None = None
    wrapper: str | None = None
    start: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def ours(self) -> bool:
        """Whether it is the package's."""
        return self.environment == OURS


def _with(name: str, *, start: str | None = None, **variables: str) -> Variant:
    switched = {_SWITCH: "true"} if start is None else {}
    return Variant(name, OURS, start=start, variables={**switched, "AILOOP_OTEL_DIRECTORY": "{folder}", **variables})


def _without_path(name: str) -> Variant:
    others = ",".join(path for path in FAST_PATHS if path != name) or "none"
    return _with(LESS + name, **{_FAST: others}, **(_TO_SINK if name in _OF_OTLP else {}))


_TO_SINK = {
    "OTEL_EXPORTER_OTLP_ENDPOINT": "{sink}/{name}",
    "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
}
VARIANTS: Mapping[str, Variant] = {
    each.name: each
    for each in (
        Variant(WITHOUT),
        _with(FILES),
        _with(NONE, **{f"OTEL_{signal}_EXPORTER": "none" for signal in _SIGNALS}),
        _with(NO_HOOKS, start="without_hooks"),
        _with(OTLP, **_TO_SINK),
        *(_without_path(name) for name in FAST_PATHS),
        Variant(
            OTEL,
            "otel",
            wrapper="opentelemetry-instrument",
            variables={
                **_TO_SINK,
                **{f"OTEL_{signal}_EXPORTER": "otlp" for signal in _SIGNALS},
                "OTEL_PYTHON_DISTRO": "distro",
                "OTEL_PYTHON_CONFIGURATOR": "configurator",
                # What of the package the server's own environment may have.
                "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "ailoop",
            },
        ),
        Variant(LOGFIRE, "logfire", start="with_logfire", variables=_TO_SINK),
        Variant(
            DATADOG,
            "ddtrace",
            wrapper="ddtrace-run",
            variables={
                "DD_TRACE_AGENT_URL": "{sink}",
                "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false",
                "DD_REMOTE_CONFIGURATION_ENABLED": "false",
            },
        ),
    )
}


def compared_with(name: str) -> str:
    """The variant that one without a fast path is compared with: the same with all of them."""
    return OTLP if name.removeprefix(LESS) in _OF_OTLP else FILES


@dataclass(frozen=True)
class Place:
    """Where variants run: a checkout, its Python, who answers for the AI, who takes telemetry, a folder for theirs."""

    root: str
    python: str
    provider: Mapping[str, str]
    sink: Sink
    folder: Path
    environments: Environments

    @contextmanager
    def running(
        self,
        variant: Variant,
        added: Mapping[str, str] | None = None,
        under: Callable[[Path], list[str]] = lambda folder: [],
        timeout: float = 60.0,
    ) -> Iterator[Server]:
        """Run one while the context lasts, under another command; Unavailable or RuntimeError where it cannot."""
        python = self.environments.overlay(variant.environment, self.python) if variant.environment else self.python
        folder = self.folder_of(variant)
        folder.mkdir(exist_ok=True)
        wrapper = [str(Path(python).with_name(variant.wrapper))] if variant.wrapper else []
        told = {"folder": str(folder), "sink": self.sink.url, "name": folder.name}
        variables = {
            **self.provider,
            "HOME": str(folder),
            "PYTHONHASHSEED": "0",
            **{name: value.format(**told) for name, value in variant.variables.items()},
            **(added or {}),
        }
        installation = _started_by(checkout(self.root, str(python)), variant.start)
        server = Server(installation, variables, wrapper=[*wrapper, *under(folder)])
        server.start(timeout)
        try:
            yield server
        finally:
            server.stop(timeout=30)
            server.__exit__(None, None, None)

    def folder_of(self, variant: Variant) -> Path:
        """What a variant writes is there."""
        return self.folder / variant.name.replace(" ", "-")

    def recorded(self, variant: Variant) -> int:
        """Bytes of traces that it wrote or sent so far."""
        if variant.name == DATADOG:
            return self.sink.taken("traces")
        written = sum(path.stat().st_size for path in self.folder_of(variant).glob("*trace*.jsonl"))
        return written + self.sink.taken(f"/{self.folder_of(variant).name}/v1/traces")

    def chats(self, variant: Variant) -> int:
        """Spans of the model's calls in the files that it wrote."""
        count = 0
        for path in self.folder_of(variant).glob("*trace*.jsonl"):
            *lines, _ = path.read_text().split("\n")
            for line in lines:
                for resource in json.loads(line).get("resourceSpans", ()):
                    names = (span["name"] for scope in resource["scopeSpans"] for span in scope["spans"])
                    count += sum(name.startswith("chat ") for name in names)
        return count


def _started_by(installation: Installation, start: str | None) -> Installation:
    if start is None:
        return installation
    python, _, _, *rest = installation.command
    return dataclasses.replace(installation, command=(python, str(_STARTS / f"{start}.py"), *rest))
