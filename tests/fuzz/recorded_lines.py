"""Single lines of a recording, as `traces`, `report` and `replay` read them."""

from __future__ import annotations

from hypothesis import strategies as some

from ailoop_otel.measure.telemetry.exchanges import METRICS
from ailoop_otel.recorded import records
from ailoop_otel.recorded.otlp_json import SIGNALS
from ailoop_otel.replay import export_request
from tests.fuzz import otlp
from tests.fuzz.target import Target

READERS = (records.parse, records.reader(METRICS))


def check(line: bytes) -> None:
    """No reader raises; what is read makes sense; halves of an export hold what the whole did."""
    for parser in READERS:
        batch = parser(line) or records.rescue(line, parser)
        for span in batch.spans if batch else ():
            assert span.start <= span.end
            assert span.trace_id
            assert span.name.isprintable()
            assert span.trace_id.isprintable()
        for point in batch.points if batch else ():
            assert point.value >= 0
    export_request.is_skippable(line, frozenset(SIGNALS.values()))
    request = export_request.parse(line)
    if request is not None:
        assert sum(half.records for half in export_request.halves(request)) == request.records
        assert export_request.named(request).isprintable()


TARGET = Target(
    "recorded-lines",
    "recorded/, replay/export_request.py",
    otlp.lines() | some.binary(max_size=60),
    check,
    random=5_000,
    guided=130_000,
    seeds=otlp.SEEDS,
)
