"""What the provider remembers of every request it served."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Any

from .behaviours import Behaviour
from .verbs import describe


@dataclass(slots=True)
class Served:
    """One request: when it came, what it asked, how it was answered, and when each piece was written.

    Times are `time.perf_counter()`, which on Linux is one clock for all processes; `wall` is `received` as
    `time.time()`; `chunks` are the moments at which text was written, `outputs` counts the lines with text,
    reasoning or a part of a tool call, `lines` all with data. `usage` is the latest that was sent. `outcome` is
    `open`, then `done`, `closed` (by the behaviour) or `gone` (the server left).
    """

    number: int
    behaviour: Behaviour
    request: dict[str, Any]
    headers: dict[str, str]
    secure: bool
    received: float = field(default_factory=time.perf_counter)
    wall: float = field(default_factory=time.time)
    chunks: list[float] = field(default_factory=list)
    outputs: int = 0
    lines: int = 0
    usage: dict[str, Any] = field(default_factory=dict)
    status: int | None = None
    ended: float | None = None
    outcome: str = "open"
    released: threading.Event = field(default_factory=threading.Event, repr=False)

    @property
    def id(self) -> str:
        """The id that the directive gave."""
        return self.behaviour.id

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The messages of the request."""
        return self.request.get("messages") or []

    def as_json(self) -> dict[str, Any]:
        """Return what a test in another process may want to know."""
        return {
            "number": self.number,
            "id": self.id,
            "behaviour": describe(self.behaviour),
            "model": self.request.get("model"),
            "roles": [each.get("role") for each in self.messages],
            "tools": len(self.request.get("tools") or ()),
            "traceparent": self.headers.get("traceparent"),
            "secure": self.secure,
            "received": self.received,
            "wall": self.wall,
            "chunks": self.chunks,
            "status": self.status,
            "ended": self.ended,
            "outcome": self.outcome,
        }
