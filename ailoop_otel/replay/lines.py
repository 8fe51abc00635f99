"""Recorded lines as they are sent: the bytes as they stand in the file, and what is told of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final

from ailoop_otel.recorded.files import LONGEST_LINE
from ailoop_otel.recorded.records import beginnings
from ailoop_otel.recorded.values import Json, attributes, instant, mapping, mappings
from ailoop_otel.replay.signals import SIGNALS, TRACES, Signal

_SERVICE: Final = "service.name"


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


def halves(whole: Document) -> list[Document]:
    """Two documents with half of the records each, every one as it was recorded, resource and scope with it."""
    root = json.loads(whole.content)
    middle = whole.records // 2
    parts = (_part(root, whole.signal, range(middle)), _part(root, whole.signal, range(middle, whole.records)))
    written = (json.dumps(part, separators=(",", ":")).encode() for part in parts)
    return [half for half in map(_document, written) if half is not None]


def is_skippable(content: bytes, wanted: frozenset[Signal]) -> bool:
    """Whether a line is seen to hold nothing of a wanted signal, not even behind a torn beginning."""
    return (
        content.endswith(b"]}")
        and any(content.startswith(_head(signal)) for signal in SIGNALS.values() if signal not in wanted)
        and not any(_head(signal) in content for signal in wanted)
    )


def _head(signal: Signal) -> bytes:
    """How the embedded default begins a signal's lines."""
    return b'{"%s":' % signal.members[0].encode()


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
    resources = list(mappings(root.get(signal.members[0])))
    records = [
        record
        for resource in resources
        for scoped in mappings(resource.get(signal.members[1]))
        for record in mappings(scoped.get(signal.members[2]))
    ]
    begin, end = _times(records) if signal is TRACES else (0, 0)
    return Document(content, signal, len(records), frozenset(_services(resources)), begin, end)


def _part(root: Json, signal: Signal, kept: range) -> Json:
    """The records whose numbers are kept, counted through the whole document."""
    outer, middle, inner = signal.members
    number = count()
    resources = []
    for resource in mappings(root.get(outer)):
        scopes = []
        for scoped in mappings(resource.get(middle)):
            records = [record for record in mappings(scoped.get(inner)) if next(number) in kept]
            if records:
                scopes.append({**scoped, inner: records})
        if scopes:
            resources.append({**resource, middle: scopes})
    return {**root, outer: resources}


def _services(resources: list[Json]) -> Iterator[str]:
    for resource in resources:
        service = attributes(mapping(resource.get("resource")).get("attributes")).get(_SERVICE)
        if isinstance(service, str):
            yield service


def _times(spans: list[Json]) -> tuple[int, int]:
    begins = list(filter(None, (instant(span.get("startTimeUnixNano")) for span in spans)))
    ends = list(filter(None, (instant(span.get("endTimeUnixNano")) for span in spans)))
    return min(begins, default=0), max(ends, default=0)
