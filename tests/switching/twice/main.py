"""Executed as `tests.switching.twice.main` and as `__main__`, whose application serves."""

import sys

from tests.switching.steps import build

app = build()

if __name__ == "__main__":
    import uvicorn

    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]))
