"""Recorded lines as they are sent: the bytes as they stand in the file, and what is told of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from ailoop_otel.recorded.files import LONGEST_LINE
from ailoop_otel.recorded.records import beginnings
from ailoop_otel.replay.signals import SIGNALS, TRACES, Signal

Json: TypeAlias = "dict[str, object]"
_LATEST: Final = 2**63


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a file without its break; `size` counts all its bytes, those of an endless one included."""

    content: bytes
    size: int
    ended: bool
    number: int

    @property
    def endless(self) -> bool:
        """Whether it is longer than any export, so that only its beginning was read."""
        return self.size > LONGEST_LINE


@dataclass(frozen=True, slots=True)
class Document:
    """One export as it was recorded; `begin` and `end` of its spans in nanoseconds since 1970, 0 where unknown."""

    content: bytes
    signal: Signal
    records: int
    services: frozenset[str]
    begin: int
    end: int


def lines(path: Path) -> Iterator[Line]:
    """The lines of a file up to its present end; raises OSError where it cannot be read."""
    number = 0
    with path.open("rb") as file:
        while read := file.readline(LONGEST_LINE):
            number += 1
            content, size = read, len(read)
            while not read.endswith(b"\n") and len(read) == LONGEST_LINE:
                read = file.readline(LONGEST_LINE)
                size += len(read)
            yield Line(content.strip(), size, read.endswith(b"\n"), number)


def document(content: bytes) -> Document | None:
    """Read what a line holds, or what a whole one behind a torn one holds; None when it is no telemetry."""
    return _document(content) or next(filter(None, map(_document, beginnings(content))), None)


def is_skippable(content: bytes, wanted: frozenset[Signal]) -> bool:
    """Whether a line is seen to be of a signal that is not wanted, without decoding it."""
    return content.endswith(b"]}") and any(
        content.startswith(b'{"%s":' % signal.members[0].encode())
        for signal in SIGNALS.values()
        if signal not in wanted
    )


def _document(content: bytes) -> Document | None:
    try:
        root = json.loads(content)
    except (ValueError, RecursionError):
        return None
    if not isinstance(root, dict):
        return None
    signal = next((signal for signal in SIGNALS.values() if signal.members[0] in root), None)
    if signal is None:
        return None
    resources = list(_objects(root.get(signal.members[0])))
    records = [
        record
        for resource in resources
        for scoped in _objects(resource.get(signal.members[1]))
        for record in _objects(scoped.get(signal.members[2]))
    ]
    begin, end = _times(records) if signal is TRACES else (0, 0)
    return Document(content, signal, len(records), frozenset(_services(resources)), begin, end)


def _services(resources: list[Json]) -> Iterator[str]:
    for resource in resources:
        for attribute in _objects(_object(resource.get("resource")).get("attributes")):
            value = _object(attribute.get("value")).get("stringValue")
            if attribute.get("key") == "service.name" and isinstance(value, str):
                yield value


def _times(spans: list[Json]) -> tuple[int, int]:
    begins = list(filter(None, (_time(span.get("startTimeUnixNano")) for span in spans)))
    ends = list(filter(None, (_time(span.get("endTimeUnixNano")) for span in spans)))
    return min(begins, default=0), max(ends, default=0)


def _time(content: object) -> int:
    try:
        time = int(content) if isinstance(content, str | int) else 0
    except ValueError:
        return 0
    return time if 0 < time < _LATEST else 0


def _object(content: object) -> Json:
    return content if isinstance(content, dict) else {}


def _objects(content: object) -> Iterator[Json]:
    if isinstance(content, list):
        yield from (_object(member) for member in content)
