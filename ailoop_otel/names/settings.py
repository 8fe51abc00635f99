"""Environment variables."""

from __future__ import annotations

from typing import Final

from ailoop_otel.names.kinds import Setting

DAY: Final = 86400.0
# fmt: off
SETTING_ENABLED: Final = Setting("AILOOP_OTEL_ENABLED", "",
    "Switch on at interpreter start. Must be in the process's environment: the server reads its `.env` too late for "
    "this one.", False, "flag")
SETTING_FIRST_CHUNK: Final = Setting("AILOOP_OTEL_AI_TIMEOUT_FIRST_CHUNK", "s",
    "Silence allowed before the first chunk; 0 switches it off.", 30.0, "number", 0.0, DAY)
SETTING_STALL: Final = Setting("AILOOP_OTEL_AI_TIMEOUT_STALL", "s",
    "Silence allowed between two chunks; 0 switches it off.", 30.0, "number", 0.0, DAY)
SETTING_TOTAL: Final = Setting("AILOOP_OTEL_AI_TIMEOUT_TOTAL", "s",
    "Time allowed for the whole answer; 0 switches it off.", 300.0, "number", 0.0, DAY)
SETTING_TRUST_CLIENT: Final = Setting("AILOOP_OTEL_TRUST_CLIENT_TRACE", "",
    "Take the client's `traceparent` as the parent, not as a link.", False, "flag")
SETTING_HTTP: Final = Setting("AILOOP_OTEL_HTTP", "",
    "Spans for plain HTTP requests, by opentelemetry-instrumentation-asgi: with the route's template for a path, and "
    "without query, `Host` and user agent.", True, "flag")
SETTING_DIRECTORY: Final = Setting("AILOOP_OTEL_DIRECTORY", "", "Where the embedded default writes.",
    "ailoop-telemetry", "path")
SETTING_MAX_FILE: Final = Setting("AILOOP_OTEL_FILE_MAX_SIZE", "MBy", "A telemetry file is closed at this size.", 64.0,
    "number", 0.01, 1e6)
SETTING_MAX_TOTAL: Final = Setting("AILOOP_OTEL_DIRECTORY_MAX_SIZE", "MBy",
    "The oldest telemetry files go beyond this size.", 1024.0, "number", 0.01, 1e9)
SETTING_MAX_AGE: Final = Setting("AILOOP_OTEL_FILE_MAX_AGE", "h", "Telemetry files older than this go.", 168.0,
    "number", 0.001, 1e6)
SETTING_SPOOL: Final = Setting("AILOOP_OTEL_SPOOL", "",
    "Keep in this directory what a collector does not take by OTLP, and send it when it does.", True, "flag")
SETTING_MAX_SESSIONS: Final = Setting("AILOOP_OTEL_MAX_SESSIONS", "{session}",
    "Sessions followed at once; beyond it the oldest is `evicted`.", 100_000, "number", 1.0, 1e9)
SETTING_MAX_EXCHANGES: Final = Setting("AILOOP_OTEL_MAX_EXCHANGES", "{exchange}",
    "Exchanges followed at once; a message beyond it gets no trace and is counted as dropped.", 100_000, "number", 1.0,
    1e9)
SETTING_CONTENT: Final = Setting("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "",
    "Capture prompts, answers, tool arguments and results on spans. OpenTelemetry's `SPAN_ONLY`, `SPAN_AND_EVENT` "
    "(true) and `NO_CONTENT` (false) are understood too.", False, "flag")
SETTING_CONTENT_LIMIT: Final = Setting("AILOOP_OTEL_CONTENT_MAX_SIZE", "{character}",
    "The longest that an attribute with content may be; beyond it its longest texts are cut.", 16_384, "number", 256.0,
    1e6)
FAST_PATHS: Final = ("spans", "histograms", "protobuf", "json")
SETTING_FAST_PATHS: Final = Setting("AILOOP_OTEL_FAST_PATHS", "",
    "Which parts of recording and encoding go past the SDK's own code to cost less: `all`, `none`, or some of `spans`, "
    "`histograms`, `protobuf`, `json`, separated by commas. What is exported is the same.", "all", "choice",
    choices=("all", "none", *FAST_PATHS))
SETTING_PRICES: Final = Setting("AILOOP_OTEL_PRICES", "",
    "A TOML file with prices, for the cost of model calls where the provider sends none: a table for each pattern of "
    "models (`[\"openai/gpt-4o*\"]`, the first that fits counts) with `input`, `output` and, if cached input has "
    "another, `cached`: USD for a million tokens.", "")
SETTING_REDACT: Final = Setting("AILOOP_OTEL_REDACT", "",
    "A function `package.module:function` that all captured content goes through before it is exported: "
    "`function(kind, text)` returns the text to keep. Where it raises, or takes longer than 5 s, the content is left "
    "out.", "")

# fmt: on

SETTINGS: Final = tuple(value for key, value in sorted(globals().items()) if key.startswith("SETTING_"))
