"""Every name this package puts into telemetry or reads from the environment, in one table.

`docs/telemetry.md` is generated from this file and a test keeps the two equal. OpenTelemetry's semantic
conventions come first, `ailoop.*` otherwise. The `gen_ai` constants of the conventions package are deprecated
since they moved to a repository of their own, so all names are spelled here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

SCOPE: Final = "ailoop_otel"
SCHEMA_URL: Final = "https://opentelemetry.io/schemas/1.37.0"


@dataclass(frozen=True)
class Name:
    """One name: what it is called, in which unit it counts (UCUM, empty for text), and what it means."""

    name: str
    unit: str
    description: str


@dataclass(frozen=True)
class Metric(Name):
    """A metric: `kind` is the instrument; `buckets` advise a histogram's boundaries in its own unit."""

    kind: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


@dataclass(frozen=True)
class Setting(Name):
    """An environment variable: `kind` is number, flag, choice or text; `low`/`high` bound a number."""

    default: object
    kind: str = "text"
    low: float = 0.0
    high: float = float("inf")
    choices: tuple[str, ...] = ()


# --- Spans ------------------------------------------------------------------------------------------------
SPAN_FIRST_CHUNK: Final = "ailoop.first_chunk"
SPAN_STREAM: Final = "ailoop.stream"
SPAN_AI_TIMEOUT: Final = "ailoop.ai_timeout"
SPAN_SESSION_START: Final = "ailoop.session.start"
SPAN_SESSION: Final = "ailoop.session"
OTHER: Final = "_OTHER"

SPANS: Final = (
    Name("{rpc.method}", "", "SERVER. One JSON-RPC call; `sendUserMessage` lasts until its answer is complete."),
    Name(SPAN_FIRST_CHUNK, "", "INTERNAL. Message received until the first frame with text of the answer."),
    Name(SPAN_STREAM, "", "INTERNAL. First chunk until the last; absent when the answer came in one piece."),
    Name(SPAN_AI_TIMEOUT, "", "INTERNAL, ERROR. Last sign of life until the silence was noticed."),
    Name(SPAN_SESSION_START, "", "INTERNAL. A short root of its own trace, exported when the session starts."),
    Name(SPAN_SESSION, "", "INTERNAL. The whole life of a session, exported when it ends."),
)

# --- Span attributes --------------------------------------------------------------------------------------
SESSION_ID: Final = "session.id"
RPC_SYSTEM: Final = "rpc.system.name"
RPC_METHOD: Final = "rpc.method"
RPC_METHOD_ORIGINAL: Final = "rpc.method_original"
RPC_STATUS: Final = "rpc.response.status_code"
JSONRPC_ID: Final = "jsonrpc.request.id"
JSONRPC_VERSION: Final = "jsonrpc.protocol.version"
ERROR_TYPE: Final = "error.type"
CLIENT_ADDRESS: Final = "client.address"
NETWORK_PEER_ADDRESS: Final = "network.peer.address"
NETWORK_PEER_PORT: Final = "network.peer.port"
NETWORK_PROTOCOL: Final = "network.protocol.name"
NETWORK_TRANSPORT: Final = "network.transport"
DIALECT: Final = "ailoop.dialect"
MESSAGE_SIZE: Final = "ailoop.message.size"
ANSWER_SIZE: Final = "ailoop.answer.size"
STREAM_SIZE: Final = "ailoop.stream.size"
STREAM_CHUNKS: Final = "ailoop.stream.chunks"
STREAM_MAX_GAP: Final = "ailoop.stream.max_gap"
OUTCOME: Final = "ailoop.exchange.outcome"
TIME_TO_FIRST_CHUNK: Final = "ailoop.exchange.time_to_first_chunk"
CORRELATION: Final = "ailoop.exchange.correlation"
ABANDONED_TIME: Final = "ailoop.exchange.abandoned_time"
TIMEOUT_PHASE: Final = "ailoop.timeout.phase"
TIMEOUT_DEADLINE: Final = "ailoop.timeout.deadline"
TIMEOUT_DETECTION_DELAY: Final = "ailoop.timeout.detection_delay"
TIMEOUT_WAITING_FOR: Final = "ailoop.timeout.waiting_for"
TIMEOUT_RECOVERED: Final = "ailoop.timeout.recovered"
SESSION_TURNS: Final = "ailoop.session.turns"
SESSION_ERRORS: Final = "ailoop.session.errors"
SESSION_END_REASON: Final = "ailoop.session.end_reason"
SESSION_RESUMED: Final = "ailoop.session.resumed"
CLIENT_TRACE_ID: Final = "ailoop.client.trace_id"

ATTRIBUTES: Final = (
    Name(SESSION_ID, "", "The session's id, on every span that belongs to one."),
    Name(RPC_SYSTEM, "", "Always `jsonrpc`."),
    Name(RPC_METHOD, "", "A method that AILoop knows, else `_OTHER`."),
    Name(RPC_METHOD_ORIGINAL, "", "The method as sent, where it is `_OTHER` and harmless (`[\\w.:/-]{1,64}`)."),
    Name(RPC_STATUS, "", "The JSON-RPC error code, as text."),
    Name(JSONRPC_ID, "", "The request's id, as text, where it is harmless."),
    Name(JSONRPC_VERSION, "", "The JSON-RPC version."),
    Name(ERROR_TYPE, "", "The HTTP status if known, else the exception's class, else the outcome."),
    Name(CLIENT_ADDRESS, "", "The client's address, from the handshake."),
    Name(NETWORK_PEER_ADDRESS, "", "The peer's address, from the handshake."),
    Name(NETWORK_PEER_PORT, "", "The peer's port, from the handshake."),
    Name(NETWORK_PROTOCOL, "", "Always `websocket`."),
    Name(NETWORK_TRANSPORT, "", "Always `tcp`."),
    Name(DIALECT, "", "How this AILoop speaks: `stateless` (current generation) or `delegates` (earlier)."),
    Name(MESSAGE_SIZE, "{character}", "Length of the frame that carried the message."),
    Name(ANSWER_SIZE, "{character}", "Length of the AI's answer."),
    Name(STREAM_SIZE, "{character}", "Length of all frames that streamed the answer; cumulative frames add up."),
    Name(STREAM_CHUNKS, "{chunk}", "Frames that brought new text of the answer."),
    Name(STREAM_MAX_GAP, "s", "The longest silence between two chunks."),
    Name(OUTCOME, "", "How the exchange ended: " + "see the table of outcomes."),
    Name(TIME_TO_FIRST_CHUNK, "s", "Message received until the first AI chunk; absent without one."),
    Name(
        CORRELATION,
        "",
        "How frames found their exchange: `context`, `order` (the session's queue), `connection` or `server`.",
    ),
    Name(ABANDONED_TIME, "s", "How long the server went on answering after the client had left."),
    Name(TIMEOUT_PHASE, "", "`first_chunk`, `stall` or `total`."),
    Name(TIMEOUT_DEADLINE, "s", "The silence that was allowed."),
    Name(TIMEOUT_DETECTION_DELAY, "s", "The deadline until it was noticed."),
    Name(TIMEOUT_WAITING_FOR, "", "`model`, `tool`, `server` or `unknown`."),
    Name(TIMEOUT_RECOVERED, "", "True when a whole answer came after all."),
    Name(SESSION_TURNS, "{turn}", "Exchanges of the session."),
    Name(SESSION_ERRORS, "{error}", "Exchanges of the session that did not end `ok`."),
    Name(SESSION_END_REASON, "", "`stopped`, `disconnected`, `error`, `server_shutdown` or `evicted`."),
    Name(SESSION_RESUMED, "", "True when a socket took up a session again that had ended."),
    Name(CLIENT_TRACE_ID, "", "The trace that the client sent along, where it is linked and not the parent."),
)

OUTCOMES: Final = (
    Name("protocol_error", "", "JSON-RPC error −32700 or −32600 to −32602."),
    Name("server_error", "", "Any other error reply, or an exception out of the server."),
    Name("disconnected", "", "A send failed, or the connection ended first."),
    Name("cancelled", "", "The session was stopped or the server shut down first."),
    Name("ai_timeout", "", "The AI stayed silent beyond a deadline and the answer never became whole."),
    Name("ai_error", "", "The AI failed, though the server may have said `status: 0`."),
    Name("cut", "", "There was text, but not all of it."),
    Name("no_answer", "", "It ended without text."),
    Name("ok", "", "A whole answer, or a slash command."),
)

# --- Metrics ----------------------------------------------------------------------------------------------
# The conventions' buckets end at 81.92 s; a chat with tools runs longer.
_SECONDS: Final = (
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0,
)  # fmt: skip
_DELAYS: Final = (0.0001, 0.0005, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0, 60.0)
_LIFETIMES: Final = (1.0, 10.0, 30.0, 60.0, 300.0, 900.0, 1800.0, 3600.0, 14400.0, 86400.0)
_COUNTS: Final = (0.0, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0)
_BY_OUTCOME: Final = (DIALECT, OUTCOME)

METRIC_FIRST_CHUNK: Final = Metric(
    "ailoop.exchange.time_to_first_chunk", "s", "Message received until the first AI chunk.",
    "histogram", (DIALECT,), _SECONDS,
)  # fmt: skip
METRIC_EXCHANGE_DURATION: Final = Metric(
    "ailoop.exchange.duration", "s", "Message received until its answer was complete; its count is the "
    "number of exchanges.", "histogram", _BY_OUTCOME, _SECONDS,
)  # fmt: skip
METRIC_EXCHANGE_ACTIVE: Final = Metric("ailoop.exchange.active", "{exchange}", "Exchanges open now.", "up_down_counter")
METRIC_EXCHANGE_SILENT: Final = Metric(
    "ailoop.exchange.silent", "{exchange}", "Exchanges whose AI has been silent beyond half its deadline, now.",
    "observable_gauge",
)  # fmt: skip
METRIC_ERRORS: Final = Metric(
    "ailoop.errors", "{error}", "Exchanges that did not end `ok`, each once; a timeout when it is noticed.",
    "counter", (DIALECT, OUTCOME, ERROR_TYPE),
)  # fmt: skip
METRIC_DETECTION_DELAY: Final = Metric(
    "ailoop.ai_timeout.detection_delay", "s", "A deadline until it was noticed.",
    "histogram", (DIALECT, TIMEOUT_PHASE), _DELAYS,
)  # fmt: skip
METRIC_REPORT_DELAY: Final = Metric(
    "ailoop.ai_timeout.report_delay", "s", "A timeout noticed until the frame that told the client.",
    "histogram", (DIALECT, TIMEOUT_PHASE), _DELAYS,
)  # fmt: skip
METRIC_SESSION_ACTIVE: Final = Metric(
    "ailoop.session.active", "{session}", "Sessions that a connection uses now.", "up_down_counter"
)
METRIC_SESSION_RETAINED: Final = Metric(
    "ailoop.session.retained", "{session}", "Sessions that were left and never stopped: the server keeps them "
    "in memory.", "up_down_counter",
)  # fmt: skip
METRIC_SESSION_DURATION: Final = Metric(
    "ailoop.session.duration", "s", "A session's life.", "histogram", (SESSION_END_REASON,), _LIFETIMES
)
METRIC_SESSION_TURNS: Final = Metric(
    "ailoop.session.turns",
    "{turn}",
    "Exchanges in a session's life.",
    "histogram",
    (SESSION_END_REASON,),
    _COUNTS,
)
METRIC_CONNECTION_ACTIVE: Final = Metric(
    "ailoop.connection.active", "{connection}", "WebSockets open now.", "up_down_counter"
)
METRIC_CONNECTION_DURATION: Final = Metric(
    "ailoop.connection.duration", "s", "A WebSocket's life.", "histogram", (), _LIFETIMES
)
METRIC_RPC_DURATION: Final = Metric(
    "rpc.server.call.duration", "s", "A JSON-RPC request until its response.",
    "histogram", (RPC_SYSTEM, RPC_METHOD, RPC_STATUS, ERROR_TYPE), _SECONDS,
)  # fmt: skip
METRIC_MEMORY_USAGE: Final = Metric(
    "process.memory.usage", "By", "Resident memory of the server's process.", "observable_up_down_counter"
)
METRIC_MEMORY_PEAK: Final = Metric(
    "ailoop.process.memory.peak", "By", "The most resident memory the process ever had.", "observable_gauge"
)
METRIC_CPU_TIME: Final = Metric(
    "process.cpu.time", "s", "CPU time of the process.", "observable_counter", ("cpu.mode",)
)
METRIC_DESCRIPTORS: Final = Metric(
    "process.open_file_descriptor.count",
    "{file_descriptor}",
    "Open file descriptors.",
    "observable_up_down_counter",
)
METRIC_LOOP_LAG: Final = Metric(
    "ailoop.event_loop.lag", "s", "How late the event loop came to a timer of ours.", "histogram", (), _DELAYS
)
METRIC_GC_COLLECTIONS: Final = Metric(
    "cpython.gc.collections", "{collection}", "Garbage collections.", "observable_counter",
    ("cpython.gc.generation",),
)  # fmt: skip
METRIC_GC_COLLECTED: Final = Metric(
    "cpython.gc.collected_objects", "{object}", "Objects that garbage collections freed.", "observable_counter",
    ("cpython.gc.generation",),
)  # fmt: skip
METRIC_GC_UNCOLLECTABLE: Final = Metric(
    "cpython.gc.uncollectable_objects", "{object}", "Objects that garbage collections could not free.",
    "observable_counter", ("cpython.gc.generation",),
)  # fmt: skip
METRIC_INTERNAL_ERRORS: Final = Metric(
    "ailoop_otel.internal.errors", "{error}", "Faults of this package, caught before they reached the server.",
    "observable_counter",
)  # fmt: skip
METRIC_SPANS_DROPPED: Final = Metric(
    "ailoop_otel.spans.dropped", "{span}", "Spans that never reached the exporter's other side.",
    "observable_counter",
)  # fmt: skip
METRIC_FRAMES_UNMATCHED: Final = Metric(
    "ailoop_otel.frames.unmatched", "{frame}", "Frames of an answer that belong to no known exchange.",
    "observable_counter",
)  # fmt: skip

METRICS: Final = tuple(value for key, value in sorted(globals().items()) if key.startswith("METRIC_"))

# --- Log events -------------------------------------------------------------------------------------------
EVENT_SESSION_START: Final = "session.start"
EVENT_SESSION_END: Final = "session.end"
EVENT_AI_TIMEOUT: Final = "ailoop.ai_timeout"
EVENT_SERVER_START: Final = "ailoop.server.start"
EVENT_SERVER_STOP: Final = "ailoop.server.stop"

EVENTS: Final = (
    Name(EVENT_SESSION_START, "", "A session began."),
    Name(EVENT_SESSION_END, "", "A session ended, with its reason."),
    Name(EVENT_AI_TIMEOUT, "", "The AI stayed silent longer than allowed; emitted while it still is."),
    Name(EVENT_SERVER_START, "", "The application started."),
    Name(EVENT_SERVER_STOP, "", "The application shut down."),
)

# --- Settings ---------------------------------------------------------------------------------------------
DAY: Final = 86400.0
SETTING_ENABLED: Final = Setting(
    "AILOOP_OTEL_ENABLED", "", "Switch on at interpreter start. Must be in the process's environment: the "
    "server reads its `.env` too late for this one.", False, "flag",
)  # fmt: skip
SETTING_FIRST_CHUNK: Final = Setting(
    "AILOOP_OTEL_AI_TIMEOUT_FIRST_CHUNK", "s", "Silence allowed before the first chunk; 0 switches it off.",
    30.0, "number", 0.0, DAY,
)  # fmt: skip
SETTING_STALL: Final = Setting(
    "AILOOP_OTEL_AI_TIMEOUT_STALL", "s", "Silence allowed between two chunks; 0 switches it off.",
    30.0, "number", 0.0, DAY,
)  # fmt: skip
SETTING_TOTAL: Final = Setting(
    "AILOOP_OTEL_AI_TIMEOUT_TOTAL", "s", "Time allowed for the whole answer; 0 switches it off.",
    300.0, "number", 0.0, DAY,
)  # fmt: skip
SETTING_TRUST_CLIENT: Final = Setting(
    "AILOOP_OTEL_TRUST_CLIENT_TRACE", "", "Take the client's `traceparent` as the parent, not as a link.",
    False, "flag",
)  # fmt: skip
SETTING_HTTP: Final = Setting(
    "AILOOP_OTEL_HTTP",
    "",
    "Spans for plain HTTP requests, by opentelemetry-instrumentation-asgi.",
    True,
    "flag",
)
SETTING_DIRECTORY: Final = Setting(
    "AILOOP_OTEL_DIRECTORY", "", "Where the embedded default writes.", "ailoop-telemetry"
)
SETTING_MAX_FILE: Final = Setting(
    "AILOOP_OTEL_FILE_MAX_SIZE", "MBy", "A telemetry file is closed at this size.", 64.0, "number", 0.01, 1e6
)
SETTING_MAX_TOTAL: Final = Setting(
    "AILOOP_OTEL_DIRECTORY_MAX_SIZE", "MBy", "The oldest telemetry files go beyond this size.",
    1024.0, "number", 0.01, 1e9,
)  # fmt: skip
SETTING_MAX_AGE: Final = Setting(
    "AILOOP_OTEL_FILE_MAX_AGE", "h", "Telemetry files older than this go.", 168.0, "number", 0.001, 1e6
)
SETTING_MAX_SESSIONS: Final = Setting(
    "AILOOP_OTEL_MAX_SESSIONS", "{session}", "Sessions followed at once; beyond it the oldest is `evicted`.",
    100_000.0, "number", 1.0, 1e9,
)  # fmt: skip
SETTING_MAX_EXCHANGES: Final = Setting(
    "AILOOP_OTEL_MAX_EXCHANGES", "{exchange}", "Exchanges followed at once; a message beyond it gets no trace and "
    "is counted as dropped.", 100_000.0, "number", 1.0, 1e9,
)  # fmt: skip

SETTINGS: Final = tuple(value for key, value in sorted(globals().items()) if key.startswith("SETTING_"))
