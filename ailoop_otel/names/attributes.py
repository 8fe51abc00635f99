"""Span attributes: names of OpenTelemetry's semantic conventions where there are any, else `ailoop.*`."""

from __future__ import annotations

from typing import Final

from ailoop_otel.names.kinds import Name

# Where all names `gen_ai.*` are from, here and of metrics: these conventions' release v0.1.0.
GEN_AI_CONVENTIONS: Final = (
    "https://github.com/open-telemetry/semantic-conventions-genai/tree/024a4f944a1291fcb627c9c47da69e79868dd15e"
)

_TABLE: Final[list[Name]] = []


def _name(name: str, unit: str, description: str) -> str:
    """Put a name into the table."""
    _TABLE.append(Name(name, unit, description))
    return name


# fmt: off
SESSION_ID: Final = _name("session.id", "", "The session's id, on every span that belongs to one.")
RPC_SYSTEM: Final = _name("rpc.system.name", "", "Always `jsonrpc`.")
RPC_METHOD: Final = _name("rpc.method", "", "A method that AILoop knows, else `_OTHER`.")
RPC_METHOD_ORIGINAL: Final = _name("rpc.method_original", "",
    "The method as sent, where it is `_OTHER` and harmless (`[\\w.:/-]{1,64}`).")
RPC_STATUS: Final = _name("rpc.response.status_code", "", "The JSON-RPC error code, as text.")
JSONRPC_ID: Final = _name("jsonrpc.request.id", "", "The request's id, as text, where it is harmless.")
JSONRPC_VERSION: Final = _name("jsonrpc.protocol.version", "", "The JSON-RPC version.")
ERROR_TYPE: Final = _name("error.type", "", "The HTTP status if known, else the exception's class, else the outcome.")
SIGNAL: Final = _name("ailoop_otel.signal", "",
    "The signal of the records that a metric counts: traces, metrics or logs.")
CLIENT_ADDRESS: Final = _name("client.address", "", "The client's address, from the handshake.")
NETWORK_PEER_ADDRESS: Final = _name("network.peer.address", "", "The peer's address, from the handshake.")
NETWORK_PEER_PORT: Final = _name("network.peer.port", "", "The peer's port, from the handshake.")
NETWORK_PROTOCOL: Final = _name("network.protocol.name", "", "Always `websocket`.")
NETWORK_TRANSPORT: Final = _name("network.transport", "", "Always `tcp`.")
DIALECT: Final = _name("ailoop.dialect", "",
    "How this server speaks: `stateless` (current generation), `delegates` (earlier one), a plugin's name, `mixed` "
    "or `unknown`.")
MESSAGE_SIZE: Final = _name("ailoop.message.size", "{character}", "Length of the frame that carried the message.")
ANSWER_SIZE: Final = _name("ailoop.answer.size", "{character}", "Length of the AI's answer.")
STREAM_SIZE: Final = _name("ailoop.stream.size", "{character}",
    "Length of all frames that streamed the answer; cumulative frames add up.")
STREAM_CHUNKS: Final = _name("ailoop.stream.chunks", "{chunk}", "Frames that brought new text of the answer.")
STREAM_MAX_GAP: Final = _name("ailoop.stream.max_gap", "s", "The longest silence between two chunks.")
OUTCOME: Final = _name("ailoop.exchange.outcome", "", "How the exchange ended: see the table of outcomes.")
TIME_TO_FIRST_CHUNK: Final = _name("ailoop.exchange.time_to_first_chunk", "s",
    "Message received until the first AI chunk; absent without one.")
CORRELATION: Final = _name("ailoop.exchange.correlation", "",
    "How frames found their exchange: `context`, `order` (the session's queue), `connection` or `server`.")
SAMPLING_REASON: Final = _name("ailoop.sampling.reason", "",
    "`failure` on the root of a trace whose session is not sampled, and that is exported since something in it failed.")
UNREAD_FRAMES: Final = _name("ailoop.exchange.unread_frames", "{frame}",
    "Frames that may have carried text of the answer in a form that no dialect knows; absent without any. What "
    "cannot be known then is absent: time to first chunk, chunks, stream.")
ABANDONED_TIME: Final = _name("ailoop.exchange.abandoned_time", "s",
    "How long the server went on answering after the client had left.")
TIMEOUT_PHASE: Final = _name("ailoop.timeout.phase", "", "`first_chunk`, `stall` or `total`.")
TIMEOUT_DEADLINE: Final = _name("ailoop.timeout.deadline", "s", "The silence that was allowed.")
TIMEOUT_DETECTION_DELAY: Final = _name("ailoop.timeout.detection_delay", "s", "The deadline until it was noticed.")
TIMEOUT_WAITING_FOR: Final = _name("ailoop.timeout.waiting_for", "", "`model`, `tool`, `server` or `unknown`.")
TIMEOUT_RECOVERED: Final = _name("ailoop.timeout.recovered", "", "True when a whole answer came after all.")
SESSION_TURNS: Final = _name("ailoop.session.turns", "{turn}", "Exchanges of the session.")
SESSION_ERRORS: Final = _name("ailoop.session.errors", "{error}", "Exchanges of the session that did not end `ok`.")
SESSION_END_REASON: Final = _name("ailoop.session.end_reason", "",
    "`stopped`, `disconnected`, `error`, `server_shutdown` or `evicted`.")
SESSION_RESUMED: Final = _name("ailoop.session.resumed", "",
    "True when a socket took up a session again that had ended.")
CLIENT_TRACE_ID: Final = _name("ailoop.client.trace_id", "",
    "The trace that the client sent along, where it is linked and not the parent.")
TIME_MODEL_WAIT: Final = _name("ailoop.time.model_wait", "s",
    "Requests to the model sent until their first chunks, in all.")
TIME_MODEL_STREAM: Final = _name("ailoop.time.model_stream", "s", "First chunks of the model until its last, in all.")
TIME_TOOLS: Final = _name("ailoop.time.tools", "s", "Tools running, in all.")
TIME_SERVER: Final = _name("ailoop.time.server", "s", "What neither model nor tools took: the server's own work.")
TIME_LOOP_LAG: Final = _name("ailoop.time.loop_lag", "s", "How much of it the event loop ran late, in all.")
TIME_GARBAGE: Final = _name("ailoop.time.garbage_collection", "s",
    "How long garbage collections stopped the process meanwhile, in all; absent without any but the youngest's.")
BLOCKED_BY: Final = _name("ailoop.event_loop.blocked_by", "",
    "The tool that blocked the event loop meanwhile, of whichever session.")
BLOCKED_TIME: Final = _name("ailoop.event_loop.blocked_time", "s", "For how long it did.")
AGENT_ROUNDS: Final = _name("ailoop.agent.rounds", "{round}",
    "Times that the agent took the message up: 1, and each continuation.")
TASK_TYPE: Final = _name("ailoop.agent.task.type", "",
    "Why a background agent works: `direct`, `mail`, `continuation` or `user`.")
MAIL_FROM: Final = _name("ailoop.mail.from", "",
    "The agent that a mail is from, or `user`; absent where the name is not harmless.")
MAIL_TO: Final = _name("ailoop.mail.to", "",
    "The agent that a mail is for, or `user`; absent where the name is not harmless.")
MAIL_PRIORITY: Final = _name("ailoop.mail.priority", "", "The mail's priority.")
MAIL_COUNT: Final = _name("ailoop.mail.count", "{mail}",
    "Mails found at once; the other attributes are the latest one's.")
MCP_METHOD: Final = _name("mcp.method.name", "", "Always `tools/call`.")
MODEL_ABANDONED: Final = _name("ailoop.model.abandoned", "",
    "True where the model was read though nobody listened any more.")
MODEL_CHUNKS: Final = _name("ailoop.model.chunks", "{chunk}",
    "Data lines of the model's stream; keep-alive comments are none.")
MODEL_UNREAD: Final = _name("ailoop.model.unread_chunks", "{chunk}",
    "Those that are no JSON: servers leave them out or give up; absent without any.")
MODEL_BYTES: Final = _name("ailoop.model.response.size", "By", "Bytes of the model's stream.")
MODEL_TIME_PER_TOKEN: Final = _name("ailoop.model.time_per_output_token", "s",
    "First chunk of output until the last, for each output token after the first.")
HTTP_STATUS: Final = _name("http.response.status_code", "", "The provider's HTTP status.")
HTTP_ROUTE: Final = _name("http.route", "",
    "The template of the route that a plain HTTP request is for; absent without one.")
SERVER_ADDRESS: Final = _name("server.address", "", "The provider's host.")
SERVER_PORT: Final = _name("server.port", "", "The provider's port.")
GEN_AI_OPERATION: Final = _name("gen_ai.operation.name", "", "`invoke_agent`, `chat` or `execute_tool`.")
GEN_AI_PROVIDER: Final = _name("gen_ai.provider.name", "", "Who serves the model.")
GEN_AI_CONVERSATION: Final = _name("gen_ai.conversation.id", "", "The session's id.")
GEN_AI_AGENT_NAME: Final = _name("gen_ai.agent.name", "",
    "The agent's display name; its id in AILoop where it has none.")
GEN_AI_REQUEST_MODEL: Final = _name("gen_ai.request.model", "", "The model that was asked.")
GEN_AI_RESPONSE_MODEL: Final = _name("gen_ai.response.model", "", "The model that answered.")
GEN_AI_RESPONSE_ID: Final = _name("gen_ai.response.id", "", "The provider's id of the answer.")
GEN_AI_FINISH_REASONS: Final = _name("gen_ai.response.finish_reasons", "",
    "Why the model stopped; `error` where it failed or its stream ended before.")
GEN_AI_FIRST_CHUNK: Final = _name("gen_ai.response.time_to_first_chunk", "s",
    "Request sent until the model's first chunk with text, reasoning or a tool call.")
GEN_AI_STREAM: Final = _name("gen_ai.request.stream", "", "True where the answer was asked for as a stream.")
GEN_AI_TEMPERATURE: Final = _name("gen_ai.request.temperature", "", "The temperature that was asked for.")
GEN_AI_TOP_P: Final = _name("gen_ai.request.top_p", "", "The `top_p` that was asked for.")
GEN_AI_TOP_K: Final = _name("gen_ai.request.top_k", "", "The `top_k` that was asked for.")
GEN_AI_MAX_TOKENS: Final = _name("gen_ai.request.max_tokens", "{token}",
    "The most tokens of an answer that were asked for.")
GEN_AI_FREQUENCY_PENALTY: Final = _name("gen_ai.request.frequency_penalty", "",
    "The frequency penalty that was asked for.")
GEN_AI_PRESENCE_PENALTY: Final = _name("gen_ai.request.presence_penalty", "",
    "The presence penalty that was asked for.")
GEN_AI_SEED: Final = _name("gen_ai.request.seed", "", "The seed that was sent along.")
GEN_AI_REASONING_LEVEL: Final = _name("gen_ai.request.reasoning.level", "", "How much the model was told to reason.")
GEN_AI_OUTPUT_TYPE: Final = _name("gen_ai.output.type", "", "`json` where a structured answer was asked for.")
GEN_AI_INPUT_TOKENS: Final = _name("gen_ai.usage.input_tokens", "{token}",
    "Tokens of the prompt, cached ones too, as the provider says; of an agent's work, of all its calls.")
GEN_AI_OUTPUT_TOKENS: Final = _name("gen_ai.usage.output_tokens", "{token}",
    "Tokens of the answer, reasoning too; summed as those of the prompt.")
GEN_AI_CACHE_READ: Final = _name("gen_ai.usage.cache_read.input_tokens", "{token}",
    "Those of the prompt that the provider had cached.")
GEN_AI_CACHE_WRITE: Final = _name("gen_ai.usage.cache_write.input_tokens", "{token}",
    "Those of the prompt that the provider has cached now.")
GEN_AI_REASONING: Final = _name("gen_ai.usage.reasoning.output_tokens", "{token}",
    "Those of the answer that the model reasoned with.")
GEN_AI_MODALITY: Final = _name("gen_ai.token.modality", "",
    "Always `unknown`: the provider does not say of which kind tokens are.")
USAGE_INPUT: Final = _name("ailoop.usage.input_tokens", "{token}",
    "As `gen_ai.usage.input_tokens`, summed over the model calls of a message or of a session. By that name Jaeger "
    "would show the message as a model call.")
USAGE_OUTPUT: Final = _name("ailoop.usage.output_tokens", "{token}",
    "As `gen_ai.usage.output_tokens`, summed in the same way.")
USAGE_CACHE_READ: Final = _name("ailoop.usage.cache_read.input_tokens", "{token}",
    "As `gen_ai.usage.cache_read.input_tokens`, summed in the same way.")
USAGE_CACHE_WRITE: Final = _name("ailoop.usage.cache_write.input_tokens", "{token}",
    "As `gen_ai.usage.cache_write.input_tokens`, summed in the same way.")
USAGE_REASONING: Final = _name("ailoop.usage.reasoning.output_tokens", "{token}",
    "As `gen_ai.usage.reasoning.output_tokens`, summed in the same way.")
COST: Final = _name("ailoop.cost.amount", "",
    "What a model call cost, or those of a message, of a session, of an agent's work whose cost is known; in "
    "`ailoop.cost.currency`.")
COST_CURRENCY: Final = _name("ailoop.cost.currency", "", "Always `USD`; OpenRouter's credits are that.")
COST_SOURCE: Final = _name("ailoop.cost.source", "",
    "`provider` where the provider sent the cost; `computed` where some of it is made from `AILOOP_OTEL_PRICES`.")
# Its values.
PROVIDER: Final = "provider"
COMPUTED: Final = "computed"
GEN_AI_TOOL_NAME: Final = _name("gen_ai.tool.name", "", "The tool, if the registry knows it, else `_OTHER`.")
GEN_AI_TOOL_TYPE: Final = _name("gen_ai.tool.type", "", "Always `function`.")
GEN_AI_TOOL_CALL_ID: Final = _name("gen_ai.tool.call.id", "", "The provider's id of the call.")
GEN_AI_SYSTEM_INSTRUCTIONS: Final = _name("gen_ai.system_instructions", "",
    "Only with content capture: the system's messages, JSON.")
GEN_AI_INPUT_MESSAGES: Final = _name("gen_ai.input.messages", "",
    "Only with content capture: what the model was told, JSON, the newest last.")
GEN_AI_OUTPUT_MESSAGES: Final = _name("gen_ai.output.messages", "",
    "Only with content capture: what the model answered, JSON.")
GEN_AI_TOOL_ARGUMENTS: Final = _name("gen_ai.tool.call.arguments", "",
    "Only with content capture: what the tool was called with, JSON.")
GEN_AI_TOOL_RESULT: Final = _name("gen_ai.tool.call.result", "",
    "Only with content capture: what the tool returned, JSON where it is.")
CONTENT_SYSTEM_SIZE: Final = _name("ailoop.content.system.original_size", "{character}",
    "Length of the texts in `gen_ai.system_instructions` before it was cut.")
CONTENT_INPUT_SIZE: Final = _name("ailoop.content.input.original_size", "{character}",
    "Length of the texts in `gen_ai.input.messages` before it was cut.")
CONTENT_OUTPUT_SIZE: Final = _name("ailoop.content.output.original_size", "{character}",
    "Length of the texts in `gen_ai.output.messages` before it was cut.")
CONTENT_TOOL_ARGUMENTS_SIZE: Final = _name("ailoop.content.tool_arguments.original_size", "{character}",
    "Length of `gen_ai.tool.call.arguments` before it was cut.")
CONTENT_TOOL_RESULT_SIZE: Final = _name("ailoop.content.tool_result.original_size", "{character}",
    "Length of `gen_ai.tool.call.result` before it was cut.")
# Tokens and cost on any span.
USED: Final = frozenset(
    {
        GEN_AI_INPUT_TOKENS, GEN_AI_OUTPUT_TOKENS, GEN_AI_CACHE_READ, GEN_AI_CACHE_WRITE, GEN_AI_REASONING,
        USAGE_INPUT, USAGE_OUTPUT, USAGE_CACHE_READ, USAGE_CACHE_WRITE, USAGE_REASONING,
        COST, COST_CURRENCY, COST_SOURCE,
    }
)  # fmt: skip
# fmt: on

ATTRIBUTES: Final = tuple(_TABLE)
