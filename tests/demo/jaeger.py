"""What the demo left in Jaeger: each trace's address, and one of them drawn from Jaeger's own answer."""

from __future__ import annotations

import time
from typing import Any

import requests
from rich.console import Console

from ailoop_otel import names
from ailoop_otel.cli import main as ailoop_otel
from collector.stack import Ports
from collector.stack.__main__ import has_ui

MESSAGE = "sendUserMessage"
PATIENCE = 20.0  # seconds
# Of the demo's conversations this one has most to show.
_DRAWN = "execute_tool"


def show(console: Console, ports: Ports, messages: int, since: float) -> bool:
    """Print where each message's trace is, and draw one; says whether all are there. `since` in seconds since 1970."""
    traces = _wait(ports, messages, since)
    if len(traces) < messages:
        console.print(f"[red]Only {len(traces)} of {messages} messages are in Jaeger[/] at {ports.jaeger}.")
        return False
    for trace in traces:
        root = next(span for span in trace["spans"] if span["operationName"] == MESSAGE)
        tags = {tag["key"]: tag["value"] for tag in root["tags"]}
        path = "trace" if has_ui(ports.jaeger) else "api/traces"
        outcome = tags[names.OUTCOME]
        colour = "red" if tags.get("error") else "green"
        console.print(f"  {ports.jaeger}/{path}/{trace['traceID']}  [{colour}]{outcome}[/]", soft_wrap=True)
    drawn = next(t for t in traces if any(span["operationName"].startswith(_DRAWN) for span in t["spans"]))
    command = ["traces", "--jaeger", ports.jaeger, "--trace", drawn["traceID"]]
    console.print(f"\n[bold]One of them, by `ailoop-otel {' '.join(command)}`:[/]", soft_wrap=True)
    return ailoop_otel(command) == 0


def _wait(ports: Ports, messages: int, since: float) -> list[dict[str, Any]]:
    """The traces of messages, oldest first, as soon as all are there."""
    wished = {"service": "ailoop", "operation": MESSAGE, "start": str(int(since * 1e6)), "limit": "100"}
    deadline = time.monotonic() + PATIENCE
    while True:
        found = requests.get(f"{ports.jaeger}/api/traces", params=wished, timeout=10).json()["data"]
        if len(found) >= messages or time.monotonic() > deadline:
            return sorted(found, key=lambda trace: min(span["startTime"] for span in trace["spans"]))
        time.sleep(0.3)
