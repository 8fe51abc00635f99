"""The three signals, and the variables by which OpenTelemetry says where each goes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from opentelemetry.environment_variables import (
    OTEL_LOGS_EXPORTER,
    OTEL_METRICS_EXPORTER,
    OTEL_PYTHON_METER_PROVIDER,
    OTEL_PYTHON_TRACER_PROVIDER,
    OTEL_TRACES_EXPORTER,
)
from opentelemetry.sdk.environment_variables import (
    OTEL_EXPORTER_OTLP_LOGS_ENDPOINT,
    OTEL_EXPORTER_OTLP_LOGS_PROTOCOL,
    OTEL_EXPORTER_OTLP_METRICS_ENDPOINT,
    OTEL_EXPORTER_OTLP_METRICS_PROTOCOL,
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT,
    OTEL_EXPORTER_OTLP_TRACES_PROTOCOL,
)

# The API keeps this one to itself as long as its logs are not declared stable.
OTEL_PYTHON_LOGGER_PROVIDER: Final = "OTEL_PYTHON_LOGGER_PROVIDER"


@dataclass(frozen=True)
class Signal:
    """One signal: its name in file names and URLs, and its variables."""

    name: str
    exporter: str
    endpoint: str
    protocol: str
    provider: str

    @property
    def group(self) -> str:
        """The entry-point group of the signal's exporters."""
        return f"opentelemetry_{self.name}_exporter"


TRACES: Final = Signal(
    "traces",
    OTEL_TRACES_EXPORTER,
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT,
    OTEL_EXPORTER_OTLP_TRACES_PROTOCOL,
    OTEL_PYTHON_TRACER_PROVIDER,
)
METRICS: Final = Signal(
    "metrics",
    OTEL_METRICS_EXPORTER,
    OTEL_EXPORTER_OTLP_METRICS_ENDPOINT,
    OTEL_EXPORTER_OTLP_METRICS_PROTOCOL,
    OTEL_PYTHON_METER_PROVIDER,
)
LOGS: Final = Signal(
    "logs",
    OTEL_LOGS_EXPORTER,
    OTEL_EXPORTER_OTLP_LOGS_ENDPOINT,
    OTEL_EXPORTER_OTLP_LOGS_PROTOCOL,
    OTEL_PYTHON_LOGGER_PROVIDER,
)
SIGNALS: Final = (TRACES, METRICS, LOGS)
