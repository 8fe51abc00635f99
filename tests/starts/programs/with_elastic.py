"""Serves the chat server with Elastic's middleware, which sends nothing."""

import sys

import uvicorn
from elasticapm.contrib.starlette import ElasticAPM, make_apm_client
from interactive_server.main import app

client = make_apm_client(
    {"SERVICE_NAME": "chat", "DISABLE_SEND": True, "CENTRAL_CONFIG": False, "CLOUD_PROVIDER": "none"}
)
app.add_middleware(ElasticAPM, client=client)
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]))
