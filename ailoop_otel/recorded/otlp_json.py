"""OTLP JSON: where each signal keeps its records, and readers of single values that never raise on bad input."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

LATEST: Final = 2**63 - 1
# How the names of files begin that hold only what no collector has taken.
UNDELIVERED: Final = "undelivered-"
_is_hexadecimal: Final = re.compile("[0-9a-fA-F]*").fullmatch

Scalar: TypeAlias = str | int | float | bool
Value: TypeAlias = "Scalar | tuple[Scalar, ...]"
Json: TypeAlias = "dict[str, object]"


@dataclass(frozen=True, slots=True)
class Signal:
    """One signal as OTLP/HTTP, its JSON and OpenTelemetry's variables name it.

    `name` stands in URLs, `record` is the word for one record, `members` are the three nested JSON members that lead
    to the records, `rejected` is the member of a partial success that counts the rejected ones, and `maker` is what
    the API calls that which records.
    """

    name: str
    record: str
    members: tuple[str, str, str]
    rejected: str
    maker: str

    @property
    def prefix(self) -> bytes:
        """The beginning of its lines, as the embedded default writes them."""
        return b'{"%s":' % self.members[0].encode()

    @property
    def exporter(self) -> str:
        """The variable that names its exporters."""
        return f"OTEL_{self.name.upper()}_EXPORTER"

    @property
    def provider(self) -> str:
        """The variable that names its provider."""
        return f"OTEL_PYTHON_{self.maker.upper()}_PROVIDER"

    @property
    def group(self) -> str:
        """The entry-point group of its exporters."""
        return f"opentelemetry_{self.name}_exporter"

    def own(self, variable: str) -> str:
        """Its own form of a variable of all OTLP exporters, which wins over that one."""
        return variable.replace("_OTLP_", f"_OTLP_{self.name.upper()}_")

    def records(self, document: Json) -> Iterator[tuple[Json, Json]]:
        """Each record that a document holds, with the member that holds those of its scope."""
        outer, middle, inner = self.members
        for resource in mappings(document.get(outer)):
            for scoped in mappings(resource.get(middle)):
                for record in mappings(scoped.get(inner)):
                    yield scoped, record


# fmt: off
TRACES: Final = Signal("traces", "span", ("resourceSpans", "scopeSpans", "spans"), "rejectedSpans", "Tracer")
METRICS: Final = Signal("metrics", "metric", ("resourceMetrics", "scopeMetrics", "metrics"), "rejectedDataPoints",
    "Meter")
LOGS: Final = Signal("logs", "log record", ("resourceLogs", "scopeLogs", "logRecords"), "rejectedLogRecords", "Logger")
# fmt: on
SIGNALS: Final = {signal.name: signal for signal in (TRACES, METRICS, LOGS)}


def attributes(records: object) -> dict[str, Value]:
    """Read a list of attributes into a dict; if a name occurs twice, the last value is kept."""
    found: dict[str, Value] = {}
    for record in mappings(records):
        value = _value(mapping(record.get("value")))
        key = record.get("key")
        if value is not None and isinstance(key, str):
            found[_clean(key)] = value
    return found


def _value(holder: Json) -> Value | None:
    if "arrayValue" in holder:
        values = (_scalar(value) for value in mappings(mapping(holder["arrayValue"]).get("values")))
        return tuple(value for value in values if value is not None)
    return _scalar(holder)


def _scalar(holder: Json) -> Scalar | None:
    for kind, content in holder.items():
        reader = _READERS.get(kind)
        if reader is not None:
            return reader(content)
    return None


def text(content: object) -> str:
    """Read text, with unprintable characters replaced; empty for anything that is no text."""
    return _clean(content) if isinstance(content, str) else ""


def integer(content: object) -> int | None:
    """Read a signed 64-bit number, which OTLP JSON encodes as text; None for anything else."""
    if isinstance(content, bool) or not isinstance(content, int | str):
        return None
    try:
        value = int(content)
    except ValueError:
        return None
    return value if -LATEST - 1 <= value <= LATEST else None


def double(content: object) -> float | None:
    """Read a double, whose NaN and infinities are encoded as text; None for anything else."""
    if isinstance(content, bool) or not isinstance(content, int | float | str):
        return None
    try:
        return float(content)
    except (ValueError, OverflowError):
        return None


_READERS: Final[dict[str, Callable[[object], Scalar | None]]] = {
    "stringValue": lambda content: _clean(content) if isinstance(content, str) else None,
    "intValue": integer,
    "doubleValue": double,
    "boolValue": lambda content: content if isinstance(content, bool) else None,
}


def instant(content: object) -> int:
    """Read a time in nanoseconds since 1970; 0 for anything else."""
    value = integer(content)
    return value if value is not None and 0 < value <= LATEST else 0


def identifier(content: object) -> str:
    """Read a trace or span id, whose hexadecimal digits become lower case; empty for anything but text."""
    if not isinstance(content, str):
        return ""
    return content.lower() if _is_hexadecimal(content) else _clean(content)


def _clean(text: str) -> str:
    """Replace characters that could move the cursor, colour the terminal or fail to be encoded."""
    return text if text.isprintable() else "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def mapping(content: object) -> Json:
    """Read a JSON object; an empty one for anything else."""
    return content if isinstance(content, dict) else {}


def mappings(content: object) -> Iterator[Json]:
    """Read a JSON array of objects; nothing for anything else."""
    if isinstance(content, list):
        yield from (mapping(member) for member in content)
