"""What the start-up file calls in every interpreter whose environment has the variable."""

from __future__ import annotations

import os
import sys

from ailoop_otel import names
from ailoop_otel.settings import is_true


def start() -> None:
    """Switch on if the environment says so; whatever goes wrong is one line, and the interpreter starts."""
    try:
        if is_true(os.environ.get(names.SETTING_ENABLED.name, "")):
            from ailoop_otel.instrumentor import AILoopInstrumentor

            AILoopInstrumentor().instrument()
    except Exception as fault:  # noqa: BLE001 - the barrier itself may be what is missing
        print(  # noqa: T201 - logging is not set up this early
            f"ailoop-otel: could not be switched on ({type(fault).__name__}: {fault}); the program starts without it. "
            "Run `pip install --force-reinstall ailoop-otel`.",
            file=sys.stderr,
        )
