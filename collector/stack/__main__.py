"""`make jaeger` and `make jaeger-stop`: the stack on the usual ports, left running."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import requests

from collector.stack import COLLECTOR, MissingProgram, Ports, Stack, StartError, has_prometheus

FOLDER = Path("ailoop-jaeger")


def main(verb: str) -> int:
    """Start or stop the stack whose data is in `ailoop-jaeger/`; returns 1 if that fails."""
    try:
        stack = Stack(FOLDER.resolve(), Ports.from_environment(), with_prometheus=has_prometheus())
        if verb == "stop":
            stack.stop()
            print(f"Stopped. Traces and metrics stay in {FOLDER}/.")
            return 0
        stack.start()
    except (MissingProgram, StartError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    print_addresses(stack.ports, with_prometheus=stack.prometheus is not None)
    return 0


def print_addresses(ports: Ports, *, with_prometheus: bool) -> None:
    """Print the addresses of everything."""
    environment = os.path.relpath(COLLECTOR / "ailoop.env")
    pages = has_ui(ports.jaeger)
    if not pages:
        print(f"\n{instead_of_a_ui(ports)}")
    print(f"""
AILoop sends to      {ports.otlp}   (set -a; . {environment}; set +a)
Jaeger's query API   {ports.jaeger}/api/traces?service=ailoop""")
    if pages:
        print(f"Jaeger's UI          {ports.jaeger}/search?service=ailoop")
    if with_prometheus:
        print(f"Prometheus           http://127.0.0.1:{ports.prometheus}/graph?g0.expr=ailoop_exchange_active&g0.tab=0")
    else:
        print("Prometheus           not started: no metrics, no alerts (apt-get install prometheus, if it is missing)")
    print(f"Stop with            make jaeger-stop   (traces stay in {FOLDER}/)")


def has_ui(address: str) -> bool:
    """Whether a Jaeger serves its UI; one built with Go alone has a placeholder page."""
    try:
        page = requests.get(f"{address}/search", timeout=5).text
    except requests.RequestException:
        return False
    return "<script" in page


def instead_of_a_ui(ports: Ports) -> str:
    """How to look at what a Jaeger without UI has."""
    return f"""This Jaeger is built by Go and has no UI. What it has is shown in the terminal by
    ailoop-otel traces --jaeger {ports.jaeger}
    ailoop-otel explain --jaeger {ports.jaeger}
The official image has the UI:
    docker compose -f {os.path.relpath(COLLECTOR / "compose.yaml")} up"""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "start"))
