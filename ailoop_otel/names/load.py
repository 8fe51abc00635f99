"""Metrics that a load test sends of its own figures, as its clients see them (`measure --otlp`)."""

from __future__ import annotations

from typing import Final

from ailoop_otel.names.attributes import OUTCOME
from ailoop_otel.names.kinds import Metric
from ailoop_otel.names.metrics import METRIC_DETECTION_DELAY, METRIC_FIRST_CHUNK

LOAD_SERVICE: Final = "ailoop-otel-measure"
LOAD_SCENARIO: Final = "ailoop.load.scenario"
LOAD_PHASE: Final = "ailoop.load.phase"
_LABELS: Final = (LOAD_SCENARIO, LOAD_PHASE)
# Those of the server's histograms: percentiles of both sides can be compared.
_SECONDS: Final = METRIC_FIRST_CHUNK.buckets

# fmt: off
LOAD_FIRST_CHUNK: Final = Metric("ailoop.client.first_chunk.duration", "s",
    "Message planned to be sent until its first AI chunk.", "histogram", (*_LABELS, OUTCOME), _SECONDS)
LOAD_COMPLETION: Final = Metric("ailoop.client.completion.duration", "s",
    "Message planned to be sent until its answer was complete.", "histogram", (*_LABELS, OUTCOME), _SECONDS)
LOAD_COMMAND: Final = Metric("ailoop.client.command.duration", "s",
    "Slash command planned to be sent until its response.", "histogram", _LABELS, _SECONDS)
LOAD_SEND_DELAY: Final = Metric("ailoop.client.send_delay", "s",
    "How late the load generator sent a message; its count is the number of messages sent.", "histogram", _LABELS,
    METRIC_DETECTION_DELAY.buckets)
LOAD_EXCHANGES: Final = Metric("ailoop.client.exchanges", "{exchange}",
    "Exchanges that ended, by outcome; a slash command that succeeded is none.", "counter", (*_LABELS, OUTCOME))
LOAD_OFFERED: Final = Metric("ailoop.client.messages.offered", "{message}",
    "Messages that were due to be sent, slash commands and the warm-up's too.", "observable_counter", (LOAD_SCENARIO,))
LOAD_SESSIONS: Final = Metric("ailoop.client.sessions", "{session}", "Sessions connected now.", "observable_gauge",
    (LOAD_SCENARIO,))
# fmt: on

LOAD_METRICS: Final = (
    LOAD_FIRST_CHUNK, LOAD_COMPLETION, LOAD_COMMAND, LOAD_SEND_DELAY, LOAD_EXCHANGES, LOAD_OFFERED, LOAD_SESSIONS,
)  # fmt: skip
