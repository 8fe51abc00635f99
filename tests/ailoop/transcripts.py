"""Transcripts: what went over the wire in one scenario, with what differs between two runs made equal.

Each is a JSON list of `{"t": ..., "direction": "out" | "in" | "closed", "text": ...}`: `t` in seconds since the
first frame, `out` what the client sent, `closed` with the close code that it saw; `connection` is the number of
any but the first. Session ids, message ids and times of day are replaced by numbered ones of the same shape.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from .client import Client, connected
from .scenarios import Scenario

FOLDER = Path(__file__).parent.parent / "transcripts"
_UUID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\b")
_MOMENT = re.compile(r"\b20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?")
_PYDANTIC = re.compile(r"errors\.pydantic\.dev/[\d.]+/")
# Pydantic shortens what it shows of a wrong value, ids too; urllib3 shows its objects.
_SHORTENED = re.compile(r"\b[0-9a-f-]{4,}\.\.\.[0-9a-f-]{4,}\b")
_TASK = re.compile(r"\btask_\d+\.\d+")
_POOL = re.compile(r"HTTPS?ConnectionPool\(.*?\)\)\)")

Entry = dict[str, Any]


def path_of(dialect: str, name: str) -> Path:
    """Return where a transcript lies."""
    return FOLDER / dialect / f"{name}.json"


def load(dialect: str, name: str) -> list[Entry]:
    """Read a transcript."""
    entries: list[Entry] = json.loads(path_of(dialect, name).read_text(encoding="utf-8"))
    return entries


def save(dialect: str, name: str, entries: list[Entry]) -> None:
    """Write a transcript, one entry a line."""
    lines = ",\n".join(json.dumps(each, ensure_ascii=False) for each in entries)
    path = path_of(dialect, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"[\n{lines}\n]\n", encoding="utf-8")


async def hold(scenario: Scenario, port: int, dialect: str) -> list[Entry]:
    """Hold a conversation with a server and return its transcript."""
    async with connected(port, dialect) as client:
        await scenario.drive(client)
        await client.quiet(0.15)
        return _entries([client, *client.others])


def _entries(clients: list[Client]) -> list[Entry]:
    frames: list[tuple[float, int, str, str]] = []
    for number, client in enumerate(clients, 1):
        frames += [(each.at, number, "out", each.text) for each in client.sent]
        frames += [(each.at, number, "in", each.text) for each in client.frames]
        if client.closed_at is not None:
            frames.append((client.closed_at, number, "closed", str(client.socket.close_code)))
    frames.sort(key=lambda each: each[0])
    replaced = _Replacements()
    return [
        {"t": round(at - frames[0][0], 4)}
        | ({"connection": number} if number > 1 else {})
        | {"direction": direction, "text": replaced.in_text(text)}
        for at, number, direction, text in frames
    ]


class _Replacements:
    """Numbers what is unique to a run, in the order in which it appears."""

    def __init__(self) -> None:
        self._ids: dict[str, str] = {}

    def in_text(self, text: str) -> str:
        text = _UUID.sub(lambda found: self._id(found.group()), text)
        text = _PYDANTIC.sub("errors.pydantic.dev/2/", text)
        text = _SHORTENED.sub("0...0", text)
        text = _TASK.sub("task_0.0", text)
        text = _POOL.sub("ConnectionPool(...)", text)
        return _MOMENT.sub("2025-01-01T00:00:00.000000", text)

    def _id(self, found: str) -> str:
        return self._ids.setdefault(found, f"00000000-0000-4000-8000-{len(self._ids) + 1:012d}")
