"""A small server that starts and says what it is asked: the text of a program, for interpreters of their own."""

from __future__ import annotations

from typing import Final

IMPORTS: Final = "import fastapi, uvicorn"
SWITCH: Final = "AILOOP_OTEL_ENABLED"

_SERVER = """
import asyncio, gc, os
import requests  # AILoop calls the model with it
{imports}
{prepared}
app = fastapi.FastAPI()

@app.websocket("/ws")
async def talk(websocket: fastapi.WebSocket) -> None:
    pass

async def receive():
    return {{"type": "lifespan.startup"}}

async def send(message):
    assert message["type"] == "lifespan.startup.complete", message
    {started}
    # No exit handler: what the start costs is measured, not the end.
    os._exit(0)

asyncio.run(app({{"type": "lifespan", "state": {{}}}}, receive, send))
"""

# What a server has that sets OpenTelemetry up itself, with nothing of ours. The first of everything is exported.
_SDK = """
from opentelemetry import metrics, trace
from opentelemetry._logs import set_logger_provider, get_logger, LogRecord
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
{exporters}
trace.set_tracer_provider(TracerProvider())
trace.get_tracer_provider().add_span_processor(BatchSpanProcessor(spans))
metrics.set_meter_provider(MeterProvider([PeriodicExportingMetricReader(measurements)]))
set_logger_provider(logs := LoggerProvider())
logs.add_log_record_processor(BatchLogRecordProcessor(records))
"""
_OTLP = """
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
spans, measurements, records = OTLPSpanExporter(), OTLPMetricExporter(), OTLPLogExporter()
"""
_FILES = """
from opentelemetry.exporter.otlp.json.file import FileMetricExporter, FileSpanExporter
from opentelemetry.exporter.otlp.json.file._log_exporter import FileLogExporter
folder = os.environ["AILOOP_OTEL_DIRECTORY"]
os.makedirs(folder, exist_ok=True)
spans, measurements, records = (
    kind(f"{folder}/{kind.__name__}") for kind in (FileSpanExporter, FileMetricExporter, FileLogExporter)
)
"""
SDK: Final = {"files": _SDK.format(exporters=_FILES), "otlp": _SDK.format(exporters=_OTLP)}

# One of each signal on its way, so that what exporting needs is there, then what the process has for itself.
WEIGH: Final = """
    from opentelemetry import metrics, trace
    from opentelemetry._logs import LogRecord, get_logger, get_logger_provider
    trace.get_tracer("bench").start_span("span").end()
    metrics.get_meter("bench").create_counter("count").add(1)
    get_logger("bench").emit(LogRecord(body="record"))
    for provider in (trace.get_tracer_provider(), metrics.get_meter_provider(), get_logger_provider()):
        if hasattr(provider, "force_flush"):
            provider.force_flush()
    gc.collect()
    print(open("/proc/self/smaps_rollup").read(), flush=True)
"""


def server(prepared: str = "", started: str = "pass") -> str:
    """The program: `prepared` runs before the application is made, `started` when its start is complete."""
    return _SERVER.format(imports=IMPORTS, prepared=prepared, started=started.strip())
