"""The server with the package's wire side alone: the table of functions to hook inside the server is emptied."""

import os
import runpy
import sys

from ailoop_otel import autostart
from ailoop_otel.server import targets

sys.path[0] = ""
targets.TARGETS = ()  # type: ignore[misc]
os.environ["AILOOP_OTEL_ENABLED"] = "true"
autostart.start()
runpy.run_module("interactive_server.main", run_name="__main__", alter_sys=True)
