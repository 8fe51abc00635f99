"""Runs the demo: `make demo`."""

from __future__ import annotations

import asyncio
import shutil
import sys
import time
from pathlib import Path

from rich.console import Console

from ailoop_otel.cli import main as ailoop_otel
from tests.ailoop.process import STATELESS, serving, standin
from tests.ailoop.provider import Provider
from tests.demo.conversations import CONVERSATIONS, MESSAGES, hold

FOLDER = Path("ailoop-telemetry")
# Short deadlines, so that nobody has to wait half a minute to see a timeout.
DEADLINES = {"AILOOP_OTEL_AI_TIMEOUT_FIRST_CHUNK": "1", "AILOOP_OTEL_AI_TIMEOUT_STALL": "1"}


async def converse(console: Console, port: int) -> None:
    """Hold all conversations at once, each on a WebSocket of its own, and tell of each as it ends."""
    running = [asyncio.create_task(hold(each, port)) for each in CONVERSATIONS]
    for done in asyncio.as_completed(running):
        conversation, told = await done
        console.print(f"  [green]✓[/] {conversation.title:<44} [dim]{told}[/]")


def talk(console: Console, variables: dict[str, str]) -> None:
    """Start provider and server, hold the conversations, stop the server."""
    console.print("[bold]A stand-in AILoop server, started with nothing but environment variables:[/]")
    for name, value in variables.items():
        console.print(f"  {name}={Path(value).name if name.endswith('DIRECTORY') else value}")
    with Provider() as provider, serving(standin(STATELESS), provider.plain_environment() | variables) as server:
        console.print(f"[bold]It runs as process {server.pid} on port {server.port}. Conversations over WebSockets:[/]")
        asyncio.run(converse(console, server.port))
        provider.release()
        server.stop()
    console.print()


def with_jaeger() -> int:
    """Talk, and show what is in the Jaeger that `make jaeger` has started."""
    from collector.stack import Ports
    from collector.stack.__main__ import has_ui, instead_of_a_ui
    from tests.demo import jaeger

    console = Console(highlight=False)
    begun = time.time()
    ports = Ports.from_environment()
    if not has_ui(ports.jaeger):
        console.print(f"{instead_of_a_ui(ports)}\n", soft_wrap=True)
    talk(console, {"AILOOP_OTEL_ENABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": ports.otlp, **DEADLINES})
    return 0 if jaeger.show(console, ports, MESSAGES, begun) else 1


def with_files() -> int:
    """Talk, and show what the server wrote on its own, without any backend."""
    console = Console(highlight=False)
    shutil.rmtree(FOLDER, ignore_errors=True)
    talk(console, {"AILOOP_OTEL_ENABLED": "true", "AILOOP_OTEL_DIRECTORY": str(FOLDER.resolve()), **DEADLINES})
    code = ailoop_otel(["traces", str(FOLDER)])
    program = f"{Path(sys.executable).parent.parent.name}/bin/ailoop-otel"
    console.print(f"\nThe files are in [bold]{FOLDER}/[/]. Look again, or at another message:")
    console.print(f"  {program} traces --errors")
    console.print(f"  {program} traces --trace ID      [dim]or --follow, while a server runs[/]")
    return code


if __name__ == "__main__":
    sys.exit(with_jaeger() if sys.argv[1:] == ["jaeger"] else with_files())
