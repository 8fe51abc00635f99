"""What the time of one exchange consists of, read from its spans, and the usual exchanges that it is compared with."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from ailoop_otel import names
from ailoop_otel.recorded.records import Span
from ailoop_otel.view.aggregator import Aggregator
from ailoop_otel.view.exchanges import OK, Exchange
from ailoop_otel.view.options import Filters
from ailoop_otel.view.servers import Servers
from ailoop_otel.view.waterfall import subtree

QUEUE: Final = "waiting for the answer before it"
FIRST_CHUNK: Final = "model until its first chunk"
STREAM: Final = "model streaming"
TOOL: Final = "tool "
SERVER: Final = "server"
# What only the wire shows, where nothing inside the server is recorded.
UNTIL_FIRST, AFTER_FIRST = "until the first chunk", "after the first chunk"
# With fewer exchanges of the same agent and model, all others are the usual ones.
_FEWEST: Final = 3
_CHAT, _TOOL = f"{names.SPAN_MODEL} ", f"{names.SPAN_TOOL} "


@dataclass(frozen=True, slots=True)
class ModelCall:
    """One request to the model; times in seconds, `start` in nanoseconds since 1970."""

    start: int
    wait: float
    stream: float
    chunks: float
    status: str
    answered: bool


@dataclass(frozen=True, slots=True)
class Profile:
    """One exchange: `parts` are seconds by what took them, `prompt` is the size of the largest prompt in tokens."""

    exchange: Exchange
    spans: Sequence[Span]
    root: Span | None
    parts: Mapping[str, float]
    calls: Sequence[ModelCall]
    prompt: float
    before: Exchange | None

    def number(self, name: str) -> float:
        """A number that its root span has; 0 without one."""
        return (self.root.number(name) if self.root else None) or 0.0

    @property
    def kind(self) -> tuple[str, str]:
        """Exchanges of the same kind are comparable."""
        return self.exchange.agent, self.exchange.model

    @property
    def pace(self) -> float:
        """Seconds from a chunk of the model to the next; 0 where it is not known."""
        between = sum(max(0.0, call.chunks - 1) for call in self.calls)
        return sum(call.stream for call in self.calls) / between if between else 0.0

    @property
    def tools(self) -> list[Span]:
        """Its tool calls."""
        return [span for span in self.spans if span.name.startswith(_TOOL)]

    @property
    def blocked_by(self) -> str:
        """The tool that blocked the event loop meanwhile; empty if none did."""
        return self.root.text(names.BLOCKED_BY) if self.root else ""


@dataclass(frozen=True, slots=True)
class Usual:
    """The usual exchanges: medians over `count` of them, and one that lasted about as long as most."""

    count: int
    same_kind: bool
    seconds: float
    parts: Mapping[str, float]
    prompt: float
    frames: float
    chunks: float
    pace: float
    typical: Profile | None


def profiles(traces: Mapping[str, Sequence[Span]], servers: Servers) -> list[Profile]:
    """All exchanges of these traces, oldest first."""
    found = []
    for spans in traces.values():
        aggregator = Aggregator(Filters(limit=len(spans) + 1), servers)
        for span in spans:
            aggregator.add(span)
        found += [(exchange, subtree(spans, exchange)) for exchange in aggregator.exchanges()]
    found.sort(key=lambda each: each[0].start)
    latest: dict[str, Exchange] = {}
    made = []
    for exchange, spans in found:
        made.append(_profile(exchange, spans, latest.get(exchange.session_id)))
        if exchange.session_id:
            latest[exchange.session_id] = exchange
    return made


def usual(profile: Profile, others: Sequence[Profile]) -> Usual:
    """What is usual for exchanges like this one, itself left out; those that ended `ok`, where there are any."""
    rest = [other for other in others if other.exchange is not profile.exchange]
    same = [other for other in rest if other.kind == profile.kind]
    chosen = same if len(same) >= _FEWEST else rest
    chosen = [other for other in chosen if other.exchange.outcome == OK] or chosen
    return usual_of(chosen, same_kind=chosen != rest or len(same) == len(rest))


def usual_of(chosen: Sequence[Profile], *, same_kind: bool = True) -> Usual:
    """The medians of these exchanges, 0 without any."""
    seconds = _median([other.exchange.seconds for other in chosen])
    parts = dict.fromkeys(name for other in chosen for name in other.parts)
    return Usual(
        count=len(chosen),
        same_kind=same_kind,
        seconds=seconds,
        parts={name: _median([other.parts.get(name, 0.0) for other in chosen]) for name in parts},
        prompt=_median([other.prompt for other in chosen]),
        frames=_median([other.number(names.STREAM_SIZE) for other in chosen]),
        chunks=_median([other.exchange.chunks or 0.0 for other in chosen]),
        pace=_median([other.pace for other in chosen if other.pace]),
        typical=min(chosen, key=lambda other: abs(other.exchange.seconds - seconds), default=None),
    )


def _profile(exchange: Exchange, spans: Sequence[Span], before: Exchange | None) -> Profile:
    chats = [span for span in spans if span.name.startswith(_CHAT)]
    calls = sorted(map(_call, chats), key=lambda call: call.start)
    inside = any(span.name.startswith(names.SPAN_AGENT) for span in spans)

    return Profile(
        exchange=exchange,
        spans=spans,
        root=next((span for span in spans if span.span_id == exchange.span_id), None),
        parts=_parts(exchange, spans, calls, before, inside=inside or bool(calls)),
        calls=calls,
        prompt=max((span.number(names.GEN_AI_INPUT_TOKENS) or 0.0 for span in chats), default=0.0),
        before=before,
    )


def _call(span: Span) -> ModelCall:
    first = span.number(names.GEN_AI_FIRST_CHUNK)
    wait = span.seconds if first is None else min(first, span.seconds)
    said = span.number(names.GEN_AI_OUTPUT_TOKENS) != 0 or "tool_calls" in span.text(names.GEN_AI_FINISH_REASONS)
    return ModelCall(
        start=span.start,
        wait=wait,
        stream=span.seconds - wait,
        chunks=span.number(names.MODEL_CHUNKS) or 0.0,
        status=span.text(names.HTTP_STATUS) or span.text(names.ERROR_TYPE),
        answered=said and not span.error,
    )


def _parts(
    exchange: Exchange, spans: Sequence[Span], calls: Sequence[ModelCall], before: Exchange | None, *, inside: bool
) -> dict[str, float]:
    """Seconds by what took them; they add up to the exchange's, unless model and tools worked at the same time."""
    if not inside:
        first = exchange.seconds if exchange.first_chunk is None else min(exchange.first_chunk, exchange.seconds)
        return {UNTIL_FIRST: first, AFTER_FIRST: exchange.seconds - first}
    parts: defaultdict[str, float] = defaultdict(float)
    begun = min((call.start for call in calls), default=exchange.start)
    if before is not None and before.end > exchange.start:
        parts[QUEUE] = max(0, min(before.end, begun) - exchange.start) / 1e9
    for call in calls:
        parts[FIRST_CHUNK] += call.wait
        parts[STREAM] += call.stream
    for span in spans:
        if span.name.startswith(_TOOL):
            parts[TOOL + span.name.removeprefix(_TOOL)] += span.seconds
    parts[SERVER] = max(0.0, exchange.seconds - sum(parts.values()))
    return dict(parts)


def _median(values: Sequence[float]) -> float:
    return median(values) if values else 0.0
