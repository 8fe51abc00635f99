"""Span attributes: names of OpenTelemetry's semantic conventions where there are any, else `ailoop.*`."""

from __future__ import annotations

from typing import Final

from ailoop_otel.names.kinds import Name

# Where all names `gen_ai.*` are from, here and of metrics: these conventions' release v0.1.0.
GEN_AI_CONVENTIONS: Final = (
    "https://github.com/open-telemetry/semantic-conventions-genai/tree/024a4f944a1291fcb627c9c47da69e79868dd15e"
)

SESSION_ID: Final = "session.id"
RPC_SYSTEM: Final = "rpc.system.name"
RPC_METHOD: Final = "rpc.method"
RPC_METHOD_ORIGINAL: Final = "rpc.method_original"
RPC_STATUS: Final = "rpc.response.status_code"
JSONRPC_ID: Final = "jsonrpc.request.id"
JSONRPC_VERSION: Final = "jsonrpc.protocol.version"
ERROR_TYPE: Final = "error.type"
SIGNAL: Final = "ailoop_otel.signal"
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
UNREAD_FRAMES: Final = "ailoop.exchange.unread_frames"
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
TIME_MODEL_WAIT: Final = "ailoop.time.model_wait"
TIME_MODEL_STREAM: Final = "ailoop.time.model_stream"
TIME_TOOLS: Final = "ailoop.time.tools"
TIME_SERVER: Final = "ailoop.time.server"
TIME_LOOP_LAG: Final = "ailoop.time.loop_lag"
BLOCKED_BY: Final = "ailoop.event_loop.blocked_by"
BLOCKED_TIME: Final = "ailoop.event_loop.blocked_time"
AGENT_ROUNDS: Final = "ailoop.agent.rounds"
TASK_TYPE: Final = "ailoop.agent.task.type"
MAIL_FROM: Final = "ailoop.mail.from"
MAIL_TO: Final = "ailoop.mail.to"
MAIL_PRIORITY: Final = "ailoop.mail.priority"
MAIL_COUNT: Final = "ailoop.mail.count"
MCP_METHOD: Final = "mcp.method.name"
MODEL_ABANDONED: Final = "ailoop.model.abandoned"
MODEL_CHUNKS: Final = "ailoop.model.chunks"
MODEL_UNREAD: Final = "ailoop.model.unread_chunks"
MODEL_BYTES: Final = "ailoop.model.response.size"
MODEL_TIME_PER_TOKEN: Final = "ailoop.model.time_per_output_token"
HTTP_STATUS: Final = "http.response.status_code"
HTTP_ROUTE: Final = "http.route"
SERVER_ADDRESS: Final = "server.address"
SERVER_PORT: Final = "server.port"
GEN_AI_OPERATION: Final = "gen_ai.operation.name"
GEN_AI_PROVIDER: Final = "gen_ai.provider.name"
GEN_AI_CONVERSATION: Final = "gen_ai.conversation.id"
GEN_AI_AGENT_NAME: Final = "gen_ai.agent.name"
GEN_AI_REQUEST_MODEL: Final = "gen_ai.request.model"
GEN_AI_RESPONSE_MODEL: Final = "gen_ai.response.model"
GEN_AI_RESPONSE_ID: Final = "gen_ai.response.id"
GEN_AI_FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
GEN_AI_FIRST_CHUNK: Final = "gen_ai.response.time_to_first_chunk"
GEN_AI_STREAM: Final = "gen_ai.request.stream"
GEN_AI_TEMPERATURE: Final = "gen_ai.request.temperature"
GEN_AI_TOP_P: Final = "gen_ai.request.top_p"
GEN_AI_TOP_K: Final = "gen_ai.request.top_k"
GEN_AI_MAX_TOKENS: Final = "gen_ai.request.max_tokens"
GEN_AI_FREQUENCY_PENALTY: Final = "gen_ai.request.frequency_penalty"
GEN_AI_PRESENCE_PENALTY: Final = "gen_ai.request.presence_penalty"
GEN_AI_SEED: Final = "gen_ai.request.seed"
GEN_AI_REASONING_LEVEL: Final = "gen_ai.request.reasoning.level"
GEN_AI_OUTPUT_TYPE: Final = "gen_ai.output.type"
GEN_AI_INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
GEN_AI_OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
GEN_AI_CACHE_READ: Final = "gen_ai.usage.cache_read.input_tokens"
GEN_AI_CACHE_WRITE: Final = "gen_ai.usage.cache_write.input_tokens"
GEN_AI_REASONING: Final = "gen_ai.usage.reasoning.output_tokens"
GEN_AI_MODALITY: Final = "gen_ai.token.modality"
USAGE_INPUT: Final = "ailoop.usage.input_tokens"
USAGE_OUTPUT: Final = "ailoop.usage.output_tokens"
USAGE_CACHE_READ: Final = "ailoop.usage.cache_read.input_tokens"
USAGE_CACHE_WRITE: Final = "ailoop.usage.cache_write.input_tokens"
USAGE_REASONING: Final = "ailoop.usage.reasoning.output_tokens"
COST: Final = "ailoop.cost.amount"
COST_CURRENCY: Final = "ailoop.cost.currency"
COST_SOURCE: Final = "ailoop.cost.source"
# Its values.
PROVIDER: Final = "provider"
COMPUTED: Final = "computed"
# Tokens and cost on any span.
USED: Final = frozenset(
    {
        GEN_AI_INPUT_TOKENS, GEN_AI_OUTPUT_TOKENS, GEN_AI_CACHE_READ, GEN_AI_CACHE_WRITE, GEN_AI_REASONING,
        USAGE_INPUT, USAGE_OUTPUT, USAGE_CACHE_READ, USAGE_CACHE_WRITE, USAGE_REASONING,
        COST, COST_CURRENCY, COST_SOURCE,
    }
)  # fmt: skip
GEN_AI_TOOL_NAME: Final = "gen_ai.tool.name"
GEN_AI_TOOL_TYPE: Final = "gen_ai.tool.type"
GEN_AI_TOOL_CALL_ID: Final = "gen_ai.tool.call.id"
GEN_AI_SYSTEM_INSTRUCTIONS: Final = "gen_ai.system_instructions"
GEN_AI_INPUT_MESSAGES: Final = "gen_ai.input.messages"
GEN_AI_OUTPUT_MESSAGES: Final = "gen_ai.output.messages"
GEN_AI_TOOL_ARGUMENTS: Final = "gen_ai.tool.call.arguments"
GEN_AI_TOOL_RESULT: Final = "gen_ai.tool.call.result"
CONTENT_SYSTEM_SIZE: Final = "ailoop.content.system.original_size"
CONTENT_INPUT_SIZE: Final = "ailoop.content.input.original_size"
CONTENT_OUTPUT_SIZE: Final = "ailoop.content.output.original_size"
CONTENT_TOOL_ARGUMENTS_SIZE: Final = "ailoop.content.tool_arguments.original_size"
CONTENT_TOOL_RESULT_SIZE: Final = "ailoop.content.tool_result.original_size"

ATTRIBUTES: Final = (
    Name(SESSION_ID, "", "The session's id, on every span that belongs to one."),
    Name(RPC_SYSTEM, "", "Always `jsonrpc`."),
    Name(RPC_METHOD, "", "A method that AILoop knows, else `_OTHER`."),
    Name(RPC_METHOD_ORIGINAL, "", "The method as sent, where it is `_OTHER` and harmless (`[\\w.:/-]{1,64}`)."),
    Name(RPC_STATUS, "", "The JSON-RPC error code, as text."),
    Name(JSONRPC_ID, "", "The request's id, as text, where it is harmless."),
    Name(JSONRPC_VERSION, "", "The JSON-RPC version."),
    Name(SIGNAL, "", "The signal of the records that a metric counts: traces, metrics or logs."),
    Name(ERROR_TYPE, "", "The HTTP status if known, else the exception's class, else the outcome."),
    Name(CLIENT_ADDRESS, "", "The client's address, from the handshake."),
    Name(NETWORK_PEER_ADDRESS, "", "The peer's address, from the handshake."),
    Name(NETWORK_PEER_PORT, "", "The peer's port, from the handshake."),
    Name(NETWORK_PROTOCOL, "", "Always `websocket`."),
    Name(NETWORK_TRANSPORT, "", "Always `tcp`."),
    Name(
        DIALECT,
        "",
        "How this server speaks: `stateless` (current generation), `delegates` (earlier one), a plugin's name, `mixed` "
        "or `unknown`.",
    ),
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
    Name(
        UNREAD_FRAMES,
        "{frame}",
        "Frames that may have carried text of the answer in a form that no dialect knows; absent without any. What "
        "cannot be known then is absent: time to first chunk, chunks, stream.",
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
    Name(TIME_MODEL_WAIT, "s", "Requests to the model sent until their first chunks, in all."),
    Name(TIME_MODEL_STREAM, "s", "First chunks of the model until its last, in all."),
    Name(TIME_TOOLS, "s", "Tools running, in all."),
    Name(TIME_SERVER, "s", "What neither model nor tools took: the server's own work."),
    Name(TIME_LOOP_LAG, "s", "How much of it the event loop ran late, in all."),
    Name(BLOCKED_BY, "", "The tool that blocked the event loop meanwhile, of whichever session."),
    Name(BLOCKED_TIME, "s", "For how long it did."),
    Name(AGENT_ROUNDS, "{round}", "Times that the agent took the message up: 1, and each continuation."),
    Name(TASK_TYPE, "", "Why a background agent works: `direct`, `mail`, `continuation` or `user`."),
    Name(MAIL_FROM, "", "The agent that a mail is from, or `user`; absent where the name is not harmless."),
    Name(MAIL_TO, "", "The agent that a mail is for, or `user`; absent where the name is not harmless."),
    Name(MAIL_PRIORITY, "", "The mail's priority."),
    Name(MAIL_COUNT, "{mail}", "Mails found at once; the other attributes are the latest one's."),
    Name(MCP_METHOD, "", "Always `tools/call`."),
    Name(MODEL_ABANDONED, "", "True where the model was read though nobody listened any more."),
    Name(MODEL_CHUNKS, "{chunk}", "Data lines of the model's stream; keep-alive comments are none."),
    Name(MODEL_UNREAD, "{chunk}", "Those that are no JSON: servers leave them out or give up; absent without any."),
    Name(MODEL_BYTES, "By", "Bytes of the model's stream."),
    Name(MODEL_TIME_PER_TOKEN, "s", "First chunk of output until the last, for each output token after the first."),
    Name(HTTP_STATUS, "", "The provider's HTTP status."),
    Name(HTTP_ROUTE, "", "The template of the route that a plain HTTP request is for; absent without one."),
    Name(SERVER_ADDRESS, "", "The provider's host."),
    Name(SERVER_PORT, "", "The provider's port."),
    Name(GEN_AI_OPERATION, "", "`invoke_agent`, `chat` or `execute_tool`."),
    Name(GEN_AI_PROVIDER, "", "Who serves the model."),
    Name(GEN_AI_CONVERSATION, "", "The session's id."),
    Name(GEN_AI_AGENT_NAME, "", "The agent's display name; its id in AILoop where it has none."),
    Name(GEN_AI_REQUEST_MODEL, "", "The model that was asked."),
    Name(GEN_AI_RESPONSE_MODEL, "", "The model that answered."),
    Name(GEN_AI_RESPONSE_ID, "", "The provider's id of the answer."),
    Name(GEN_AI_FINISH_REASONS, "", "Why the model stopped; `error` where it failed or its stream ended before."),
    Name(GEN_AI_FIRST_CHUNK, "s", "Request sent until the model's first chunk with text, reasoning or a tool call."),
    Name(GEN_AI_STREAM, "", "True where the answer was asked for as a stream."),
    Name(GEN_AI_TEMPERATURE, "", "The temperature that was asked for."),
    Name(GEN_AI_TOP_P, "", "The `top_p` that was asked for."),
    Name(GEN_AI_TOP_K, "", "The `top_k` that was asked for."),
    Name(GEN_AI_MAX_TOKENS, "{token}", "The most tokens of an answer that were asked for."),
    Name(GEN_AI_FREQUENCY_PENALTY, "", "The frequency penalty that was asked for."),
    Name(GEN_AI_PRESENCE_PENALTY, "", "The presence penalty that was asked for."),
    Name(GEN_AI_SEED, "", "The seed that was sent along."),
    Name(GEN_AI_REASONING_LEVEL, "", "How much the model was told to reason."),
    Name(GEN_AI_OUTPUT_TYPE, "", "`json` where a structured answer was asked for."),
    Name(
        GEN_AI_INPUT_TOKENS,
        "{token}",
        "Tokens of the prompt, cached ones too, as the provider says; of an agent's work, of all its calls.",
    ),
    Name(GEN_AI_OUTPUT_TOKENS, "{token}", "Tokens of the answer, reasoning too; summed as those of the prompt."),
    Name(GEN_AI_CACHE_READ, "{token}", "Those of the prompt that the provider had cached."),
    Name(GEN_AI_CACHE_WRITE, "{token}", "Those of the prompt that the provider has cached now."),
    Name(GEN_AI_REASONING, "{token}", "Those of the answer that the model reasoned with."),
    Name(
        USAGE_INPUT,
        "{token}",
        "As `gen_ai.usage.input_tokens`, summed over the model calls of a message or of a session. By that name Jaeger "
        "would show the message as a model call.",
    ),
    Name(USAGE_OUTPUT, "{token}", "As `gen_ai.usage.output_tokens`, summed in the same way."),
    Name(USAGE_CACHE_READ, "{token}", "As `gen_ai.usage.cache_read.input_tokens`, summed in the same way."),
    Name(USAGE_CACHE_WRITE, "{token}", "As `gen_ai.usage.cache_write.input_tokens`, summed in the same way."),
    Name(USAGE_REASONING, "{token}", "As `gen_ai.usage.reasoning.output_tokens`, summed in the same way."),
    Name(GEN_AI_MODALITY, "", "Always `unknown`: the provider does not say of which kind tokens are."),
    Name(
        COST,
        "",
        "What a model call cost, or those of a message, of a session, of an agent's work whose cost is known; in "
        "`ailoop.cost.currency`.",
    ),
    Name(COST_CURRENCY, "", "Always `USD`; OpenRouter's credits are that."),
    Name(
        COST_SOURCE,
        "",
        "`provider` where the provider sent the cost; `computed` where some of it is made from `AILOOP_OTEL_PRICES`.",
    ),
    Name(GEN_AI_TOOL_NAME, "", "The tool, if the registry knows it, else `_OTHER`."),
    Name(GEN_AI_TOOL_TYPE, "", "Always `function`."),
    Name(GEN_AI_TOOL_CALL_ID, "", "The provider's id of the call."),
    Name(GEN_AI_SYSTEM_INSTRUCTIONS, "", "Only with content capture: the system's messages, JSON."),
    Name(GEN_AI_INPUT_MESSAGES, "", "Only with content capture: what the model was told, JSON, the newest last."),
    Name(GEN_AI_OUTPUT_MESSAGES, "", "Only with content capture: what the model answered, JSON."),
    Name(GEN_AI_TOOL_ARGUMENTS, "", "Only with content capture: what the tool was called with, JSON."),
    Name(GEN_AI_TOOL_RESULT, "", "Only with content capture: what the tool returned, JSON where it is."),
    Name(CONTENT_SYSTEM_SIZE, "{character}", "Length of the texts in `gen_ai.system_instructions` before it was cut."),
    Name(CONTENT_INPUT_SIZE, "{character}", "Length of the texts in `gen_ai.input.messages` before it was cut."),
    Name(CONTENT_OUTPUT_SIZE, "{character}", "Length of the texts in `gen_ai.output.messages` before it was cut."),
    Name(CONTENT_TOOL_ARGUMENTS_SIZE, "{character}", "Length of `gen_ai.tool.call.arguments` before it was cut."),
    Name(CONTENT_TOOL_RESULT_SIZE, "{character}", "Length of `gen_ai.tool.call.result` before it was cut."),
)
