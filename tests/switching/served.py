"""What `uvicorn tests.switching.served:app` serves."""

from tests.switching.steps import build

app = build()
