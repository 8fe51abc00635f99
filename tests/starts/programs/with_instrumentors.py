"""Serves the chat server beside the instrumentors of OpenTelemetry that INSTRUMENTORS names, switched on before it."""

import os
import sys
from importlib.metadata import entry_points

import uvicorn

for name in os.environ["INSTRUMENTORS"].split():
    (found,) = entry_points(group="opentelemetry_instrumentor", name=name)
    found.load()().instrument()
uvicorn.run("interactive_server.main:app", host="127.0.0.1", port=int(sys.argv[1]))
