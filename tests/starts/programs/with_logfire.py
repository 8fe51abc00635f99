"""Serves the chat server beside Logfire, whose tracer provider is the process's; our files get its spans too."""

import os
import sys

import logfire
import uvicorn
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from ailoop_otel.export.files import RotatingSpanExporter

written = BatchSpanProcessor(RotatingSpanExporter(os.environ["AILOOP_OTEL_DIRECTORY"]))
logfire.configure(send_to_logfire=False, console=False, additional_span_processors=[written])
from interactive_server.main import app  # noqa: E402 - Logfire comes first, as its documentation has it

logfire.instrument_fastapi(app)
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]))
