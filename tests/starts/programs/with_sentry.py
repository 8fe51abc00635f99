"""Serves the chat server beside Sentry's SDK, which sends to a port that nobody listens on."""

import sys

import sentry_sdk
import uvicorn

sentry_sdk.init(dsn="http://key@127.0.0.1:9/1", traces_sample_rate=1.0, profiles_sample_rate=1.0)
uvicorn.run("interactive_server.main:app", host="127.0.0.1", port=int(sys.argv[1]))
