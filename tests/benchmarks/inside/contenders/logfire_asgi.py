"""Logfire's ASGI instrumentation, with OTLP encoding: as it comes, or with a span for each message."""

from __future__ import annotations

import os

import logfire
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from tests.benchmarks.inside.contender import App, Contender, Taken
from tests.benchmarks.inside.otlp import QUEUE, Bodies


class Logfire(Contender):
    """Configured to send nothing to its makers."""

    def __init__(self, messages: bool) -> None:
        os.environ.update(QUEUE)
        self._messages = messages
        self._bodies = Bodies()
        processor = BatchSpanProcessor(OTLPSpanExporter())
        logfire.configure(send_to_logfire=False, console=False, metrics=False, additional_span_processors=[processor])

    def around(self, application: App) -> App:
        """With its middleware."""
        served: App = logfire.instrument_asgi(application, record_send_receive=self._messages)
        return served

    def spans(self) -> None:
        """Through the batch processor."""
        logfire.force_flush()

    def take(self) -> Taken:
        """From the requests' bodies."""
        return self._bodies.take()


def start(variant: str) -> Contender:
    """As it comes, or `messages`."""
    return Logfire(variant == "messages")
