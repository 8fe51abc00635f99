"""The steps a behaviour is made of: what the provider writes, when it waits, how it ends."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Headers:
    """Send the 200 and the stream's headers, unless they are out already."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Stay silent for some seconds (keep-alive comments apart)."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Hold:
    """Stay silent until the provider is told to release the request."""


@dataclass(frozen=True, slots=True)
class Event:
    """Send one chat.completion.chunk; a finish reason is followed by usage, if asked for, and the end if it is last."""

    delta: dict[str, Any]
    finish: str | None = None
    usage: bool = False
    extra: dict[str, Any] = field(default_factory=dict)
    last: bool = True


@dataclass(frozen=True, slots=True)
class Bill:
    """Send a chunk without a choice that holds these token counts and cost."""

    usage: dict[str, Any]


@dataclass(frozen=True, slots=True)
class End:
    """Send the end mark and end the body."""


@dataclass(frozen=True, slots=True)
class Raw:
    """Send this text as it is."""

    text: str


@dataclass(frozen=True, slots=True)
class Refuse:
    """Answer with an HTTP error and a JSON body."""

    status: int
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Close:
    """Close the connection here and now."""


Step = Headers | Wait | Hold | Event | Bill | End | Raw | Refuse | Close
