"""Record the wire of a real server: `python -m tests.ailoop.record CHECKOUT [--python PY] [--only NAME]`.

Starts the server of the checkout, of whichever generation it is, lets it talk to the scripted provider, holds
every scenario of its dialect with it, one after the other, and writes the transcripts tests compare with.
A transcript that would tell something about the machine it was recorded on is refused.
"""

from __future__ import annotations

import argparse
import asyncio
import getpass
import socket
import sys
import tempfile
from pathlib import Path

from .process import Server, checkout, serving
from .provider import Provider
from .scenarios import SCENARIOS
from .transcripts import Entry, hold, save


def record(root: Path, python: str, only: str | None = None) -> list[str]:
    """Record the scenarios of a checkout and return their names."""
    with tempfile.TemporaryDirectory() as home, Provider() as provider:
        environment = provider.environment() | {"HOME": home}
        with serving(checkout(root, python), environment) as server:
            return asyncio.run(_record_all(server, only))


async def _record_all(server: Server, only: str | None) -> list[str]:
    done = []
    for each in SCENARIOS:
        if server.dialect in each.dialects and only in (None, each.name):
            entries = await hold(each, server.port, server.dialect)
            _refuse_traces_of_this_machine(entries, server.installation.root)
            save(server.dialect, each.name, entries)
            sys.stdout.write(f"{server.dialect}/{each.name}: {len(entries)} frames, {entries[-1]['t']} s\n")
            done.append(each.name)
    return done


def _refuse_traces_of_this_machine(entries: list[Entry], root: Path) -> None:
    traces = {str(root), str(Path.home()), str(Path.cwd()), tempfile.gettempdir(), socket.gethostname()}
    # A short user name, such as `root`, is part of ordinary words.
    traces |= {getpass.getuser()} if len(getpass.getuser()) > 4 else set()
    for entry in entries:
        for trace in traces - {"/"}:
            if trace in entry["text"]:
                raise ValueError(f"{trace} in {entry['text']}")


def main() -> None:
    """Record and say what was recorded."""
    options = argparse.ArgumentParser(description="Record transcripts of a real AILoop server.")
    options.add_argument("checkout", type=Path)
    options.add_argument("--python", default=sys.executable, help="the interpreter that has its dependencies")
    options.add_argument("--only", metavar="NAME", help="one scenario instead of all")
    chosen = options.parse_args()
    names = record(chosen.checkout, chosen.python, chosen.only)
    sys.stdout.write(f"{len(names)} transcripts\n")


if __name__ == "__main__":
    main()
