"""Our defaults for `opentelemetry-instrument`, set before the SDK reads them."""

from __future__ import annotations

from os import environ
from typing import Any

from opentelemetry.instrumentation.distro import BaseDistro  # type: ignore[attr-defined]
from opentelemetry.sdk.environment_variables import (
    OTEL_BLRP_SCHEDULE_DELAY,
    OTEL_BSP_SCHEDULE_DELAY,
    OTEL_CONFIG_FILE,
    OTEL_EXPORTER_OTLP_PROTOCOL,
    OTEL_METRIC_EXPORT_INTERVAL,
    OTEL_RESOURCE_ATTRIBUTES,
    OTEL_SERVICE_NAME,
)
from opentelemetry.sdk.resources import SERVICE_NAME

from ailoop_otel.export import choice
from ailoop_otel.export.choice import SIGNALS
from ailoop_otel.export.notices import EXPORT_WARNINGS
from ailoop_otel.export.providers import SERVICE
from ailoop_otel.settings import environment


def defaults() -> dict[str, str]:
    """What is to be set where the environment sets nothing."""
    wanted = {OTEL_EXPORTER_OTLP_PROTOCOL: choice.HTTP}
    # The variable would win over the same as an attribute.
    if f"{SERVICE_NAME}=" not in environment(OTEL_RESOURCE_ATTRIBUTES):
        wanted[OTEL_SERVICE_NAME] = SERVICE
    if environment(OTEL_CONFIG_FILE):
        return wanted  # the SDK then reads nothing else
    wanted[OTEL_METRIC_EXPORT_INTERVAL] = str(choice.METRIC_INTERVAL_MS)
    if not choice.is_anything_set():
        wanted[OTEL_BSP_SCHEDULE_DELAY] = str(choice.SPAN_DELAY_MS)
        wanted[OTEL_BLRP_SCHEDULE_DELAY] = str(choice.LOG_DELAY_MS)
    for signal in SIGNALS:
        wanted[signal.exporter] = ",".join(choice.exporters(signal)) or "none"
    return wanted


class AILoopDistro(BaseDistro):  # type: ignore[misc]
    """Sets the defaults that suit AILoop; what the environment sets stays."""

    def _configure(self, **kwargs: Any) -> None:
        for name, value in defaults().items():
            if not environment(name):
                environ[name] = value
        EXPORT_WARNINGS.install()
