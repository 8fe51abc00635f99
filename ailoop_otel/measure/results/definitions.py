"""The tables of units and of metrics: name, unit and definition of each.

Each metric has one event, one definition and one unit. A new metric is one more row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

# What one observation stands for: the x axis of its plot, and what n counts.
Each = Literal["exchange", "chunk", "session", "call", "sample", "run"]
Better = Literal["lower", "higher", "neither"]


class Unit(NamedTuple):
    """A unit of metrics: in words, the unit in which all of its metrics are shown, and how a value is written.

    One unit for all, so that two reports can be compared by eye. `forms` are the units in which a value may be written,
    with the factor to this one.
    """

    words: str
    shown_in: str
    example: str
    forms: dict[str, float]


_TIMES: Final = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0}
_SIZES: Final = {
    "B": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 1024.0, "MiB": 1024.0**2, "GiB": 1024.0**3, "By": 1.0,
}  # fmt: skip
_PER_TIME: Final = {"/s": 1.0, "/min": 1 / 60, "/h": 1 / 3600}
_GROWTH: Final = {size + per: factor * each for size, factor in _SIZES.items() for per, each in _PER_TIME.items()}
_PER_SESSION: Final = {f"{size}/session": factor for size, factor in _SIZES.items()}
_RATES: Final = _PER_TIME | {f"messages{per}": factor for per, factor in _PER_TIME.items()}
UNITS: Final = {
    "s": Unit("seconds", "ms", "2 s", _TIMES),
    "By": Unit("bytes", "MB", "200 MB", _SIZES),
    "By/s": Unit("bytes per second", "kB/s", "10 kB/s", _GROWTH),
    "By/{session}": Unit("bytes per session", "kB/session", "40 kB/session", _PER_SESSION),
    "{message}/s": Unit("messages per second", "messages/s", "20 /s", _RATES),
    "{error}/1000": Unit(
        "errors per 1,000 requests", "per 1,000", "5 /1000", {"/1000": 1.0, "errors/1000": 1.0, "%": 10.0}
    ),
    "{session}": Unit("sessions", "sessions", "50", {"": 1.0, "sessions": 1.0, "session": 1.0}),
    "{turn}": Unit("turns", "turns", "10", {"": 1.0, "turns": 1.0, "turn": 1.0}),
    "1": Unit("a share (1 is 100 %)", "%", "80 %", {"": 1.0, "%": 0.01}),
    "{token}": Unit("tokens", "tokens", "500", {"": 1.0, "tokens": 1.0, "token": 1.0}),
    "USD": Unit("US dollars", "USD", "2 USD", {"USD": 1.0}),
}


@dataclass(frozen=True, slots=True)
class Definition:
    """One metric: `unit` in UCUM, `each` what one observation stands for, `better` the direction of an improvement.

    `of_failures` is true for a metric of failed exchanges: they are not left out of its percentiles. `shown_in` is the
    unit of its figures in every report, plot and comparison.
    """

    name: str
    unit: str
    title: str
    text: str
    each: Each
    better: Better = "lower"
    of_failures: bool = False
    shown_in: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "shown_in", self.shown_in or UNITS[self.unit].shown_in)


# fmt: off
FIRST_CHUNK: Final = Definition(
    "first_chunk", "s", "Message to first AI chunk",
    "From the moment the message was planned to be sent to the first frame with non-empty text of the AI's answer. "
    "An acknowledgement, an empty update, a tool call or a status notice is not a chunk.", "exchange")
COMPLETION: Final = Definition(
    "completion", "s", "Message to complete answer",
    "From the moment the message was planned to be sent to its completion: the JSON-RPC response in the current "
    "generation, the final chunk or the error notice in the earlier one.", "exchange")
COMMAND: Final = Definition(
    "command", "s", "Slash command to its response",
    "From the moment a slash command was planned to be sent to its response. The server answers it itself: its time is "
    "no AI's, and in no figure of answers.", "call")
SEND_DELAY: Final = Definition(
    "send_delay", "s", "Planned to sent",
    "How late the load generator sent a message. It is part of the latencies above, and says when the generator "
    "itself was the bottleneck.", "exchange")
ACKNOWLEDGEMENT: Final = Definition(
    "acknowledgement", "s", "Message to acknowledgement",
    "From sending a message to the JSON-RPC response, in the earlier generation only: there the response says that "
    "the message was taken, and nothing about an answer.", "exchange")
CHUNK_GAP: Final = Definition(
    "chunk_gap", "s", "Gap between chunks",
    "From one arrival of an answer's chunks to the next, at the client: chunks that are read at once are one arrival.",
    "chunk")
LONGEST_GAP: Final = Definition(
    "longest_gap", "s", "Longest gap of an answer", "The longest time between two chunks of one answer.", "exchange")
SESSION_START: Final = Definition(
    "session_start", "s", "startSession to its response", "From sending startSession to its response.", "session")
SESSION_DURATION: Final = Definition(
    "session_duration", "s", "Session duration",
    "From the response to startSession to the session's end, seen by its client; in a run from telemetry, by the "
    "server.", "session", "neither", shown_in="s")
SESSION_TURNS: Final = Definition(
    "session_turns", "{turn}", "Turns of a session", "Messages that one session sent.", "session", "neither")
RATE: Final = Definition(
    "message_rate", "{message}/s", "Messages per second",
    "Answers completed without a failure per second, over all sessions, outside a load test's warm-up. Each counts "
    "evenly over the time it took, so that it does not matter where a run was cut. Fewer than 20 in telemetry count "
    "over all the time from its first record to its last.", "run", "higher")
SESSIONS: Final = Definition(
    "concurrent_sessions", "{session}", "Sessions connected", "Sessions that are connected at a moment.",
    "sample", "neither")
STABLE_SESSIONS: Final = Definition(
    "stable_sessions", "{session}", "Largest stable number of sessions",
    "The most concurrent sessions at which the error rate and the 95th percentile of `first_chunk` stayed within "
    "target over the hold period; found by a ramp and confirmed by a hold.", "run", "higher")
STABLE_RATE: Final = Definition(
    "stable_rate", "{message}/s", "Largest stable rate",
    "The most messages per second, sent at planned times, at which the error rate and the 95th percentile of "
    "`first_chunk` stayed within target over the hold period; found by a ramp and confirmed by a hold.",
    "run", "higher")
MEMORY: Final = Definition(
    "server_memory", "By", "Server memory",
    "Resident memory of the server's process and its children; in a run from telemetry, of the process alone.",
    "sample")
MEMORY_PER_SESSION: Final = Definition(
    "memory_per_session", "By/{session}", "Memory per session",
    "The slope of `server_memory` over the sessions opened so far, without the first quarter of them, in which a "
    "server allocates what it needs once (Theil-Sen estimator).", "run")
MEMORY_GROWTH: Final = Definition(
    "memory_growth", "By/s", "Memory growth",
    "The slope of `server_memory` over time in the steady part of the run, without its first quarter (Theil-Sen "
    "estimator).", "run")
CPU: Final = Definition(
    "server_cpu", "1", "Server CPU",
    "CPU time of the server's process and its children per second, 1 is a core; in a run from telemetry, of the "
    "process alone.", "sample")
ERROR_RATE: Final = Definition(
    "error_rate", "{error}/1000", "Errors per 1,000 requests",
    "Exchanges that failed per 1,000 exchanges begun outside a load test's warm-up, whatever the kind of failure. A "
    "slash command that succeeds is no exchange.", "run")
TIMEOUT_TOLD: Final = Definition(
    "ai_timeout_told", "s", "AI timeout until the client is told",
    "From the moment the message was planned to be sent to the frame that told its client that the AI did not answer "
    "in time.", "exchange", of_failures=True)
TIMEOUT_DETECTED: Final = Definition(
    "ai_timeout_detected", "s", "AI timeout until detected",
    "From the message, as the server received it, to the moment the instrumentation noticed the silence.", "exchange",
    of_failures=True)
DETECTION_DELAY: Final = Definition(
    "ai_timeout_detection_delay", "s", "AI timeout, deadline to detected",
    "From the deadline that passed to the moment the instrumentation noticed.", "exchange", of_failures=True)
REPORT_DELAY: Final = Definition(
    "ai_timeout_report_delay", "s", "AI timeout, detected to told",
    "From the moment the instrumentation noticed to the frame that told the client.", "exchange", of_failures=True)
SERVER_FIRST_CHUNK: Final = Definition(
    "server_first_chunk", "s", "Message to first AI chunk, on the server",
    "From the moment the application received the message to the first AI chunk handed to the socket.", "exchange")
SERVER_COMPLETION: Final = Definition(
    "server_completion", "s", "Message to complete answer, on the server",
    "From the moment the application received the message to its completion.", "exchange")
SERVER_COMMAND: Final = Definition(
    "server_command", "s", "Slash command to its response, on the server",
    "From the moment the application received a slash command to its response.", "call")
INPUT_TOKENS: Final = Definition(
    "input_tokens", "{token}", "Input tokens", "Tokens that the provider counted as an exchange's input, cached too.",
    "exchange")
CACHED_TOKENS: Final = Definition(
    "cached_tokens", "{token}", "Input tokens from the cache", "Those of `input_tokens` that the provider had cached.",
    "exchange", "higher")
OUTPUT_TOKENS: Final = Definition(
    "output_tokens", "{token}", "Output tokens", "Tokens that the provider counted as an exchange's output.",
    "exchange", "neither")
REASONING_TOKENS: Final = Definition(
    "reasoning_tokens", "{token}", "Reasoning tokens", "Those of `output_tokens` that were reasoning, and no answer.",
    "exchange", "neither")
TOKEN_PACE: Final = Definition(
    "time_per_output_token", "s", "Time per output token",
    "From the first AI chunk to the complete answer, on the server, divided by `output_tokens`. A gap between chunks "
    "is of the frames, which may hold several tokens or a part of one.", "exchange")
COST: Final = Definition("cost", "USD", "Cost", "What an exchange cost, as the provider told.", "exchange")
COST_COMPUTED: Final = Definition(
    "cost_computed", "USD", "Cost, computed",
    "What an exchange cost, of which at least a part was computed from the user's prices and not told by the provider.",
    "exchange")
FIRST_CHUNK_DIFFERENCE: Final = Definition(
    "first_chunk_difference", "s", "First chunk: client less server",
    "What the client waited longer than the server says: network, the message unread behind a running answer, and the "
    "load generator's delay.", "exchange", "neither")
COMPLETION_DIFFERENCE: Final = Definition(
    "completion_difference", "s", "Completion: client less server",
    "As `first_chunk_difference`, for the complete answer.", "exchange", "neither")
# From the CSV files of the earlier generation's own performance tests; each of their events has its own name.
LEGACY_SESSION_START: Final = Definition(
    "legacy_session_start", "s", "Old tests: startSession", "From sending startSession to its response.", "session")
LEGACY_REPLY: Final = Definition(
    "legacy_reply", "s", "Old tests: message to first reply",
    "From sending a message to the first frame that came back, whether acknowledgement or chunk. In the earlier "
    "generation that is the acknowledgement: it is no answer's latency.", "exchange")
LEGACY_BURST_REPLY: Final = Definition(
    "legacy_burst_reply", "s", "Old tests: message to first reply, all at once",
    "As `legacy_reply`, but all messages of all sessions were sent before the first reply was read: most of it is the "
    "wait for the test itself.", "exchange")
LEGACY_TIMEOUT: Final = Definition(
    "legacy_timeout", "s", "Old tests: message to notice of the timeout",
    "From sending a message that the AI does not answer to the notification that told its client.", "exchange")
LEGACY_SESSION_STOP: Final = Definition(
    "legacy_session_stop", "s", "Old tests: stopSession",
    "From sending stopSession to the notification that the session had ended.", "session")
LEGACY_MEMORY_CURRENT: Final = Definition(
    "legacy_memory_current", "By", "Old tests: the test's memory, at the end",
    "What `tracemalloc` saw in the process of the test itself at its end. It says nothing about the server.", "sample")
LEGACY_MEMORY_PEAK: Final = Definition(
    "legacy_memory_peak", "By", "Old tests: the test's memory, peak",
    "The most that `tracemalloc` saw in the process of the test itself. It says nothing about the server.", "sample")
STEP: Final = Definition("step", "s", "A step of a test", "From one timestamp that a test took to the next.", "call")
# fmt: on

DEFINITIONS: Final = {
    value.name: value for key, value in tuple(globals().items()) if key.isupper() and isinstance(value, Definition)
}
