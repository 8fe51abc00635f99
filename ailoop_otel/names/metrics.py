"""Metrics: instruments, units, labels, buckets."""

from __future__ import annotations

from typing import Final

from ailoop_otel.names.attributes import (
    COST_CURRENCY,
    COST_SOURCE,
    DIALECT,
    ERROR_TYPE,
    GEN_AI_AGENT_NAME,
    GEN_AI_MODALITY,
    GEN_AI_OPERATION,
    GEN_AI_PROVIDER,
    GEN_AI_REQUEST_MODEL,
    GEN_AI_TOOL_NAME,
    GEN_AI_TOOL_TYPE,
    MCP_METHOD,
    OUTCOME,
    RPC_METHOD,
    RPC_STATUS,
    RPC_SYSTEM,
    SESSION_END_REASON,
    SIGNAL,
    TIMEOUT_PHASE,
)
from ailoop_otel.names.kinds import Metric

# The buckets of the semantic conventions end at 81.92 s; a chat with tools takes longer.
_SECONDS: Final = (
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0,
)  # fmt: skip
_DELAYS: Final = (0.0001, 0.0005, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0, 60.0)
_LIFETIMES: Final = (1.0, 10.0, 30.0, 60.0, 300.0, 900.0, 1800.0, 3600.0, 14400.0, 86400.0)
_COUNTS: Final = (0.0, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0)
_TOKENS: Final = tuple(4.0**power for power in range(14))
_CALLS: Final = (0.0, 1.0, 2.0, 3.0, 5.0, 8.0, 13.0, 21.0, 34.0)
_INFERENCE: Final = (GEN_AI_OPERATION, GEN_AI_PROVIDER, GEN_AI_REQUEST_MODEL)
_USAGE: Final = (*_INFERENCE, GEN_AI_MODALITY, GEN_AI_AGENT_NAME)
_BY_OUTCOME: Final = (DIALECT, OUTCOME, GEN_AI_AGENT_NAME, GEN_AI_REQUEST_MODEL)

# fmt: off
METRIC_FIRST_CHUNK: Final = Metric("ailoop.exchange.time_to_first_chunk", "s",
    "Message received until the first AI chunk, recorded when the exchange has ended.", "histogram", _BY_OUTCOME,
    _SECONDS)
METRIC_EXCHANGE_DURATION: Final = Metric("ailoop.exchange.duration", "s",
    "Message received until its answer was complete; its count is the number of exchanges.", "histogram", _BY_OUTCOME,
    _SECONDS)
METRIC_COMMAND_DURATION: Final = Metric("ailoop.command.duration", "s",
    "A slash command received until its response; it is no exchange.", "histogram", (DIALECT,), _SECONDS)
METRIC_EXCHANGE_ACTIVE: Final = Metric("ailoop.exchange.active", "{exchange}", "Exchanges open now.",
    "observable_up_down_counter")
METRIC_EXCHANGE_SILENT: Final = Metric("ailoop.exchange.silent", "{exchange}",
    "Exchanges whose AI has been silent beyond half its deadline, now.", "observable_gauge")
METRIC_EXCHANGE_HANGING: Final = Metric("ailoop.exchange.hanging", "{exchange}",
    "Exchanges open now that have had an AI timeout.", "observable_gauge")
METRIC_ERRORS: Final = Metric("ailoop.errors", "{error}",
    "Exchanges that did not end `ok`, each once; a timeout when it is noticed.", "counter",
    (DIALECT, OUTCOME, ERROR_TYPE))
METRIC_DETECTION_DELAY: Final = Metric("ailoop.ai_timeout.detection_delay", "s", "A deadline until it was noticed.",
    "histogram", (DIALECT, TIMEOUT_PHASE), _DELAYS)
METRIC_REPORT_DELAY: Final = Metric("ailoop.ai_timeout.report_delay", "s",
    "A timeout noticed until the frame that told the client.", "histogram", (DIALECT, TIMEOUT_PHASE), _DELAYS)
METRIC_SESSION_ACTIVE: Final = Metric("ailoop.session.active", "{session}", "Sessions that a connection uses now.",
    "up_down_counter")
METRIC_SESSION_RETAINED: Final = Metric("ailoop.session.retained", "{session}",
    "Sessions that were left and never stopped: the server keeps them in memory.", "up_down_counter")
METRIC_SESSION_DURATION: Final = Metric("ailoop.session.duration", "s", "A session's life.", "histogram",
    (SESSION_END_REASON,), _LIFETIMES)
METRIC_SESSION_TURNS: Final = Metric("ailoop.session.turns", "{turn}", "Exchanges in a session's life.", "histogram",
    (SESSION_END_REASON,), _COUNTS)
METRIC_CONNECTION_ACTIVE: Final = Metric("ailoop.connection.active", "{connection}", "WebSockets open now.",
    "up_down_counter")
METRIC_CONNECTION_DURATION: Final = Metric("ailoop.connection.duration", "s", "A WebSocket's life.", "histogram", (),
    _LIFETIMES)
METRIC_RPC_DURATION: Final = Metric("rpc.server.call.duration", "s", "A JSON-RPC request until its response.",
    "histogram", (RPC_SYSTEM, RPC_METHOD, RPC_STATUS, ERROR_TYPE), _SECONDS)
METRIC_MODEL_DURATION: Final = Metric("gen_ai.client.inference.duration", "s",
    "A request to the model until its last line.", "histogram", (*_INFERENCE, ERROR_TYPE), _SECONDS)
METRIC_MODEL_FIRST_CHUNK: Final = Metric("gen_ai.client.inference.time_to_first_chunk", "s",
    "A request to the model until its first chunk.", "histogram", _INFERENCE, _SECONDS)
METRIC_MODEL_CHUNK: Final = Metric("gen_ai.client.inference.time_per_output_chunk", "s",
    "From a chunk of output to the next, each of a model call's; of those beyond 10,000 the latest.", "histogram",
    _INFERENCE, _DELAYS)
METRIC_CALL_INPUT: Final = Metric("gen_ai.client.inference.operation.input_tokens", "{token}",
    "Tokens of a model call's prompt; 0 where the provider did not say.", "histogram", (*_INFERENCE, ERROR_TYPE),
    _TOKENS)
METRIC_CALL_OUTPUT: Final = Metric("gen_ai.client.inference.operation.output_tokens", "{token}",
    "Tokens of a model call's answer; 0 where the provider did not say.", "histogram", (*_INFERENCE, ERROR_TYPE),
    _TOKENS)
# Of the agent, the conventions have nothing on these five.
METRIC_INPUT_TOKENS: Final = Metric("gen_ai.client.inference.usage.input_tokens", "{token}",
    "Tokens of prompts, cached ones too.", "observable_counter", _USAGE)
METRIC_OUTPUT_TOKENS: Final = Metric("gen_ai.client.inference.usage.output_tokens", "{token}",
    "Tokens of answers, reasoning too.", "observable_counter", _USAGE)
METRIC_CACHE_READ: Final = Metric("gen_ai.client.inference.usage.cache_read.input_tokens", "{token}",
    "Those of prompts that were cached.", "observable_counter", _USAGE)
METRIC_CACHE_WRITE: Final = Metric("gen_ai.client.inference.usage.cache_write.input_tokens", "{token}",
    "Those of prompts that were put in the cache.", "observable_counter", _USAGE)
METRIC_REASONING: Final = Metric("gen_ai.client.inference.usage.reasoning.output_tokens", "{token}",
    "Those of answers that models reasoned with.", "observable_counter", _USAGE)
METRIC_COST: Final = Metric("ailoop.cost", "{currency}",
    "What model calls cost, where the provider or `AILOOP_OTEL_PRICES` says.", "observable_counter",
    (GEN_AI_REQUEST_MODEL, GEN_AI_AGENT_NAME, COST_CURRENCY, COST_SOURCE))
METRIC_AGENT_DURATION: Final = Metric("gen_ai.invoke_agent.duration", "s",
    "An agent's work on one message, or on one task in the background.", "histogram", (GEN_AI_AGENT_NAME, ERROR_TYPE),
    _SECONDS)
METRIC_AGENT_INFERENCES: Final = Metric("gen_ai.invoke_agent.inference_calls", "{inference_call}",
    "Model calls of such a work.", "histogram", (GEN_AI_AGENT_NAME,), _CALLS)
METRIC_AGENT_TOOLS: Final = Metric("gen_ai.invoke_agent.tool_calls", "{tool_call}", "Tool calls of such a work.",
    "histogram", (GEN_AI_AGENT_NAME,), _CALLS)
METRIC_TOOL_DURATION: Final = Metric("gen_ai.execute_tool.duration", "s", "One tool call.", "histogram",
    (GEN_AI_TOOL_NAME, GEN_AI_TOOL_TYPE, GEN_AI_AGENT_NAME, ERROR_TYPE), _SECONDS)
METRIC_MCP_SERVER: Final = Metric("mcp.server.operation.duration", "s", "A tool called by a client of the MCP server.",
    "histogram", (MCP_METHOD, GEN_AI_TOOL_NAME, ERROR_TYPE), _SECONDS)
METRIC_MCP_CLIENT: Final = Metric("mcp.client.operation.duration", "s", "Another MCP server's tool, called.",
    "histogram", (MCP_METHOD, GEN_AI_TOOL_NAME, ERROR_TYPE), _SECONDS)
METRIC_MEMORY_USAGE: Final = Metric("process.memory.usage", "By", "Resident memory of the server's process.",
    "observable_up_down_counter")
METRIC_MEMORY_PEAK: Final = Metric("ailoop.process.memory.peak", "By", "The most resident memory the process ever had.",
    "observable_gauge")
METRIC_CPU_TIME: Final = Metric("process.cpu.time", "s", "CPU time of the process.", "observable_counter",
    ("cpu.mode",))
METRIC_DESCRIPTORS: Final = Metric("process.open_file_descriptor.count", "{file_descriptor}", "Open file descriptors.",
    "observable_up_down_counter")
METRIC_LOOP_LAG: Final = Metric("ailoop.event_loop.lag", "s", "How late the event loop came to a timer of ours.",
    "histogram", (), _DELAYS)
METRIC_GC_COLLECTIONS: Final = Metric("cpython.gc.collections", "{collection}", "Garbage collections.",
    "observable_counter", ("cpython.gc.generation",))
METRIC_GC_COLLECTED: Final = Metric("cpython.gc.collected_objects", "{object}",
    "Objects that garbage collections freed.", "observable_counter", ("cpython.gc.generation",))
METRIC_GC_UNCOLLECTABLE: Final = Metric("cpython.gc.uncollectable_objects", "{object}",
    "Objects that garbage collections could not free.", "observable_counter", ("cpython.gc.generation",))
METRIC_INTERNAL_ERRORS: Final = Metric("ailoop_otel.internal.errors", "{error}",
    "Faults of this package, caught before they reached the server.", "observable_counter")
METRIC_SPANS_DROPPED: Final = Metric("ailoop_otel.spans.dropped", "{span}",
    "Spans that never reached the exporter's other side.", "observable_counter")
METRIC_DROPPED: Final = Metric("ailoop_otel.telemetry.dropped", "{record}",
    "Spans, metric data points and log records that will never arrive, by signal and reason.", "observable_counter",
    (SIGNAL, ERROR_TYPE))
METRIC_KEPT: Final = Metric("ailoop_otel.telemetry.kept", "{record}",
    "Those that were kept on disk, as the collector did not take them.", "observable_counter", (SIGNAL,))
METRIC_SENT: Final = Metric("ailoop_otel.telemetry.sent", "{record}",
    "Those that were kept on disk, by whatever process, and sent from there.", "observable_counter", (SIGNAL,))
METRIC_FRAMES_UNMATCHED: Final = Metric("ailoop_otel.frames.unmatched", "{frame}",
    "Frames of an answer that belong to no known exchange.", "observable_counter")
# fmt: on

# Read when metrics are collected, out of `Telemetry.totals`: an instrument would cost more at each model call.
TOTALS: Final = (
    METRIC_INPUT_TOKENS, METRIC_OUTPUT_TOKENS, METRIC_CACHE_READ, METRIC_CACHE_WRITE, METRIC_REASONING, METRIC_COST,
)  # fmt: skip
METRICS: Final = tuple(value for key, value in sorted(globals().items()) if key.startswith("METRIC_"))
