"""Why an exchange took longer than the usual ones: each cause with the seconds that it explains and a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ailoop_otel import names, units
from ailoop_otel.view.exchanges import ENDED_BY_CLIENT, Exchange
from ailoop_otel.view.profile import FIRST_CHUNK, QUEUE, SERVER, STREAM, TOOL, Profile, Usual

# Less than this, and less than a tenth of what is usual, is no cause.
_NOTABLE: Final = 0.02  # seconds
_NOTABLE_SHARE: Final = 0.1
# So many times the usual is another size: of prompts in tokens, of all frames in characters, of the pace.
_LARGER: Final = 3.0
_SLOWER: Final = 1.5
_LARGE_PROMPT: Final = 2_000
_LARGE_FRAMES: Final = 1_000_000
_CUMULATIVE: Final = 5.0
# A message that the server reads so soon after the answer before it was probably there already, nanoseconds.
_AT_ONCE: Final = 3_000_000
# A message sent again differs by the digits of its id only, characters.
_SAME_SIZE: Final = 4
_REPORTED: Final = 4


@dataclass(frozen=True, slots=True)
class Cause:
    """One reason: `kind` is a word for scripts, `seconds` are what it explains.

    `failed` marks why the exchange did not end well, `outside` a time that is no part of the exchange's own.
    `trace_id` is the other trace that caused it, if one did.
    """

    kind: str
    seconds: float
    text: str
    trace_id: str = ""
    failed: bool = False
    outside: bool = False


def causes(profile: Profile, usual: Usual, others: Sequence[Profile], than: str) -> list[Cause]:
    """The causes, the first one is the culprit; empty if nothing stands out. `than` is `usually`, or `in` a trace.

    With nothing to compare with they are what holds by itself: no part is longer or slower then.
    """
    found = list(_Excess(profile, usual, others, than).causes())
    notable = max(_NOTABLE, _NOTABLE_SHARE * usual.seconds)
    kept = [cause for cause in found if cause.failed or cause.outside or cause.seconds >= notable]
    kept.sort(key=lambda cause: (cause.failed, not cause.outside, cause.seconds), reverse=True)
    longest = max((cause.seconds for cause in kept if not cause.outside), default=0.0)
    return [cause for cause in kept if cause.failed or cause.outside or cause.seconds >= _NOTABLE_SHARE * longest][
        :_REPORTED
    ]


class _Excess:
    """What each part took beyond the usual; a cause that lies across the parts is taken out of them."""

    def __init__(self, profile: Profile, usual: Usual, others: Sequence[Profile], than: str) -> None:
        self._profile = profile
        self._usual = usual
        self._others = others
        self._than = than
        self._left = {part: max(0.0, taken - usual.parts.get(part, 0.0)) for part, taken in profile.parts.items()}

    def causes(self) -> list[Cause]:
        made = [self._refused(), *self._tools(), self._frozen(), self._retries(), self._garbage(), self._frames()]
        made += [self._late(), *self._differences(), self._queue(), self._repeated()]
        return [cause for cause in made if cause is not None]

    def _differences(self) -> list[Cause | None]:
        """What only a comparison can tell."""
        return [self._waited(), self._pace(), self._rest()] if self._usual.count else []

    def _take(self, seconds: float, *parts: str) -> float:
        """Take seconds out of these parts, in this order; returns how many there were."""
        wanted = seconds
        for part in parts:
            taken = min(self._left.get(part, 0.0), wanted)
            self._left[part] = self._left.get(part, 0.0) - taken
            wanted -= taken
        return seconds - wanted

    def _refused(self) -> Cause | None:
        call = self._profile.calls[-1] if self._profile.calls else None
        if call is None or call.answered or not self._profile.exchange.failed or call.status in ("", "200"):
            return None
        seconds = self._take(call.wait + call.stream, FIRST_CHUNK, STREAM)
        advice = ": it asks for fewer requests" if call.status == "429" else ""
        took = units.duration(call.wait + call.stream)
        return Cause(
            "refused", seconds, f"The model's provider failed with {call.status} after {took}{advice}.", failed=True
        )

    def _tools(self) -> list[Cause]:
        made = []
        for part in [part for part in self._left if part.startswith(TOOL)]:
            name, seconds = part.removeprefix(TOOL), self._left[part]
            text = f"The tool {name} ran for {self._instead(part)}."
            blocked = self._profile.blocked_by == name
            if not (blocked or self._usual.count):
                continue
            if blocked:
                text += " It ran on the event loop, so that the server stood still for everybody meanwhile."
            made.append(Cause("blocking_tool" if blocked else "tool", seconds, text))
        return made

    def _frozen(self) -> Cause | None:
        """Another session's tool that blocked the event loop."""
        profile = self._profile
        own = sum(span.seconds for span in profile.tools if span.name == _span_name(profile.blocked_by))
        foreign = profile.number(names.BLOCKED_TIME) - own
        if foreign <= _NOTABLE:
            return None
        seconds = self._take(foreign, SERVER, STREAM, FIRST_CHUNK, QUEUE)
        blocker = self._blocker()
        session = f" of session {units.brief(blocker.exchange.session_id)}" if blocker else ""
        trace = f" (trace {blocker.exchange.trace_id[:8]})" if blocker else ""
        text = (
            f"The tool {profile.blocked_by}{session}{trace} held the event loop for {units.duration(foreign)}: "
            "the server stood still, and this exchange with it."
        )
        return Cause("frozen", seconds, text, blocker.exchange.trace_id if blocker else "")

    def _blocker(self) -> Profile | None:
        """The other exchange whose tool of that name ran longest during this one."""
        exchange, name = self._profile.exchange, _span_name(self._profile.blocked_by)
        overlaps = [
            (min(span.end, exchange.end) - max(span.start, exchange.start), other)
            for other in self._others
            if other.exchange is not exchange
            for span in other.tools
            if span.name == name
        ]
        longest = max(overlaps, key=lambda each: each[0], default=None)
        return longest[1] if longest and longest[0] > 0 else None

    def _retries(self) -> Cause | None:
        """Model calls that brought nothing and were made again, with the pauses before the next."""
        again = [
            (call, following)
            for call, following in zip(self._profile.calls, self._profile.calls[1:], strict=False)
            if not call.answered
        ]
        if not again:
            return None
        lost = sum(following.start - call.start for call, following in again) / 1e9
        seconds = self._take(lost, SERVER, FIRST_CHUNK, STREAM)
        why = sorted({call.status for call, _ in again} - {"", "200"})
        what = f"failed ({', '.join(why)})" if why else "answered nothing"
        times = units.counted(len(again), "time")
        return Cause("retries", seconds, f"The model {what} {times} and was asked again: {units.duration(lost)} lost.")

    def _garbage(self) -> Cause | None:
        garbage = self._profile.number(names.TIME_GARBAGE)
        seconds, held = self._take(garbage, SERVER, STREAM, FIRST_CHUNK), units.duration(garbage)
        return Cause("garbage_collection", seconds, f"Python's garbage collection held the server for {held}.")

    def _frames(self) -> Cause | None:
        profile, usual = self._profile, self._usual
        frames, answer = profile.number(names.STREAM_SIZE), profile.number(names.ANSWER_SIZE)
        if frames < max(_LARGE_FRAMES, _LARGER * usual.frames, _CUMULATIVE * answer):
            return None
        seconds = self._take(profile.exchange.seconds, SERVER)
        text = (
            f"The server sent {units.counted(int(frames), 'character')} in "
            f"{units.counted(int(profile.exchange.chunks or 0), 'frame')} for an answer of {units.count(answer)}: "
            "each frame repeats all of the text before it."
        )
        return Cause("frames", seconds, text)

    def _late(self) -> Cause | None:
        """A late event loop that no tool and no garbage collection explains."""
        number = self._profile.number
        late = number(names.TIME_LOOP_LAG) - number(names.BLOCKED_TIME) - number(names.TIME_GARBAGE)
        seconds = self._take(max(0.0, late), SERVER, STREAM)
        text = f"The event loop ran late by {units.duration(late)}, and no tool blocked it: "
        return Cause("event_loop", seconds, text + "other work in the server, or a busy machine.")

    def _waited(self) -> Cause | None:
        profile, seconds = self._profile, self._left.get(FIRST_CHUNK, 0.0)
        text = f"The model was slow to begin: its first chunk took {self._instead(FIRST_CHUNK)}."
        if profile.prompt < max(_LARGE_PROMPT, _LARGER * self._usual.prompt):
            return Cause("first_chunk", seconds, text)
        than = f"{units.count(self._usual.prompt)} {self._than}"
        prompt = f" Its prompt is large: {units.count(profile.prompt)} tokens, {than}."
        return Cause("prompt", seconds, text + prompt)

    def _pace(self) -> Cause | None:
        profile, usual, seconds = self._profile, self._usual, self._left.get(STREAM, 0.0)
        longer = (profile.exchange.chunks or 0.0) > usual.chunks
        if usual.pace and profile.pace < _SLOWER * usual.pace and longer:
            counts = f"{units.count(profile.exchange.chunks or 0)} chunks, {units.count(usual.chunks)} {self._than}"
            return Cause("length", seconds, f"The answer is longer: {counts}, which took {self._instead(STREAM)}.")
        paces = f"{units.duration(profile.pace)} a chunk, {units.duration(usual.pace)} {self._than}"
        return Cause("pace", seconds, f"The model streamed slowly: {paces}.")

    def _rest(self) -> Cause | None:
        rest = {part: left for part, left in self._left.items() if not part.startswith(TOOL)}
        part = max(
            (part for part in rest if part not in (FIRST_CHUNK, STREAM, QUEUE)), key=rest.__getitem__, default=""
        )
        if not part:
            return None
        what = "What neither model nor tools took" if part == SERVER else f"The time {part}"
        return Cause("server" if part == SERVER else "wire", rest[part], f"{what} is longer: {self._instead(part)}.")

    def _queue(self) -> Cause | None:
        """A message that waited for the answer before it in its session."""
        exchange, before = self._profile.exchange, self._profile.before
        if before is None:
            return None
        took = f"the answer before it in its session (trace {before.trace_id[:8]}, {units.duration(before.seconds)})"
        if waited := self._left.get(QUEUE, 0.0):
            return Cause("queued", waited, f"It waited {units.duration(waited)} for {took}.", before.trace_id)
        if not 0 <= exchange.start - before.end <= _AT_ONCE or self._is_repetition(before):
            return None
        text = (
            f"The server read it as soon as {took} was complete: it had probably waited for that, "
            "which its own time does not include."
        )
        return Cause("queued", before.seconds, text, before.trace_id, outside=True)

    def _repeated(self) -> Cause | None:
        """The message of a failed exchange, sent again."""
        exchange, before = self._profile.exchange, self._profile.before
        if before is None or not self._is_repetition(before):
            return None
        lost = (exchange.start - before.start) / 1e9
        text = (
            f"It repeats the message that failed before it with {before.error_type or before.outcome} "
            f"(trace {before.trace_id[:8]}): for the user it began {units.duration(lost)} earlier."
        )
        return Cause("repeated", lost, text, before.trace_id, outside=True)

    def _is_repetition(self, before: Exchange) -> bool:
        if before.open or not before.failed or before.outcome in ENDED_BY_CLIENT:
            return False
        size = next((each.number(names.MESSAGE_SIZE) for each in self._others if each.exchange is before), 0.0)
        return size > 0 and abs(size - self._profile.number(names.MESSAGE_SIZE)) <= _SAME_SIZE

    def _instead(self, part: str) -> str:
        usual, took = self._usual.parts.get(part, 0.0), units.duration(self._profile.parts.get(part, 0.0))
        if not self._usual.count:
            return took
        return f"{took}, {units.duration(usual) if usual else 'none'} {self._than}"


def _span_name(tool: str) -> str:
    return f"{names.SPAN_TOOL} {tool}"
