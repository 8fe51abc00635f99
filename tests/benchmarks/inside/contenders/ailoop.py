"""This package as its users have it, the wire alone: into OTLP that is not sent, `network` where it is, or `files`."""

from __future__ import annotations

import json
import os
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from tests.benchmarks.inside.contender import App, Contender, Taken


class AILoop(Contender):
    """The middleware in front of the whole pipeline that the environment asks for."""

    def __init__(self) -> None:
        from ailoop_otel import AILoopMiddleware
        from ailoop_otel.instrumentor import RUNTIME

        self._middleware: Any = AILoopMiddleware
        self._guard = RUNTIME.guard

    def around(self, application: App) -> App:
        """With the middleware."""
        served: App = self._middleware(application)
        return served

    def spans(self) -> None:
        """Through the batch processor."""
        from opentelemetry import trace

        _flush(trace.get_tracer_provider())

    def metrics(self) -> None:
        """One collection, and the log events."""
        from opentelemetry import _logs, metrics

        _flush(metrics.get_meter_provider())
        _flush(_logs.get_logger_provider())


class ToCollector(AILoop):
    """Into OTLP."""

    def __init__(self) -> None:
        from tests.benchmarks.inside.otlp import QUEUE, Bodies

        os.environ.update({**QUEUE, "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"})
        self._bodies = Bodies()
        super().__init__()

    def take(self) -> Taken:
        """From the requests' bodies."""
        taken = self._bodies.take()
        taken.faults = self._guard.errors
        return taken

    def drop(self) -> None:
        """Unread."""
        self._bodies.drop()


class ToNetwork(AILoop):
    """To whom the environment names; who that is knows what arrived."""

    def __init__(self) -> None:
        from tests.benchmarks.inside.otlp import QUEUE

        os.environ.update(QUEUE)
        super().__init__()


class ToFiles(AILoop):
    """Into the files that are written where nothing else is said."""

    def __init__(self) -> None:
        from tests.benchmarks.inside.otlp import QUEUE

        self._folder = tempfile.TemporaryDirectory(prefix="bench-")
        os.environ.update({**QUEUE, "AILOOP_OTEL_DIRECTORY": self._folder.name})
        self._seen: Counter[str] = Counter()
        super().__init__()

    def take(self) -> Taken:
        """From the files."""
        now = spans_in(Path(self._folder.name))
        taken = Taken(spans=now - self._seen, faults=self._guard.errors)
        self._seen = now
        return taken


def spans_in(folder: Path) -> Counter[str]:
    """Spans by name of the files in a folder; a last line that is still being written is left for the next time."""
    names: Counter[str] = Counter()
    for path in folder.iterdir():
        *whole, _ = path.read_text().split("\n")
        for line in whole:
            for resource in json.loads(line).get("resourceSpans", ()):
                names.update(span["name"] for scope in resource["scopeSpans"] for span in scope["spans"])
    return names


def _flush(provider: Any) -> None:
    # Before the first connection there is none.
    if hasattr(provider, "force_flush"):
        provider.force_flush()


def start(variant: str) -> Contender:
    """The package."""
    return {"files": ToFiles, "network": ToNetwork, "": ToCollector}[variant]()
