"""`OTEL_CONFIG_FILE`: the SDK's declarative configuration."""

from __future__ import annotations

import importlib
from typing import Final

from opentelemetry.sdk.environment_variables import OTEL_CONFIG_FILE

from ailoop_otel.export.attempt import attempt, reason
from ailoop_otel.guard import Guard

# A distribution of its own, and experimental: it may be missing, or have changed.
_MODULE: Final = "opentelemetry.configuration"


def configure(path: str, guard: Guard) -> bool:
    """Have the SDK set the global providers up as a file says; says one line and returns False if it cannot."""

    def explain(fault: Exception | None) -> str:
        is_missing = isinstance(fault, ModuleNotFoundError) and fault.name == _MODULE
        mend = "pip install opentelemetry-configuration" if is_missing else "correct the file"
        return f"{OTEL_CONFIG_FILE}={path!r} is ignored ({reason(fault)}). To mend it, {mend}."

    return bool(attempt(lambda: _configure(path), guard, explain))


def _configure(path: str) -> bool:
    module = importlib.import_module(_MODULE)
    try:
        module.configure_sdk(module.load_config_file(path))
    except module.ConfigurationError as fault:
        raise ValueError(str(fault)) from fault
    return True
