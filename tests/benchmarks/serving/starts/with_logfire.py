"""The server with logfire as its documentation says: every FastAPI application and `requests`, exported by OTLP."""

import runpy
import sys
from typing import Any

import fastapi
import logfire

sys.path[0] = ""
logfire.configure(send_to_logfire=False, console=False)
logfire.instrument_requests()
_made = fastapi.FastAPI.__init__


def _make(app: Any, *arguments: Any, **named: Any) -> None:
    _made(app, *arguments, **named)
    logfire.instrument_fastapi(app)


fastapi.FastAPI.__init__ = _make
runpy.run_module("interactive_server.main", run_name="__main__", alter_sys=True)
