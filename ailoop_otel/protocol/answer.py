"""The one reader of answers: what the frames of one answer come to. A pure state machine, fed with (time, frame).

The instrumentation reads each exchange by it and the measuring client each message, so that both mean the same by
first chunk, chunk, repeat, whole, cut and outcome.
"""

from __future__ import annotations

from functools import cache
from typing import Final, Generic, TypeVar

from ailoop_otel.protocol.dialect import ChunkForm, Meaning, Notice, Reply, ReplyKind
from ailoop_otel.protocol.jsonrpc import PROTOCOL_ERRORS, length_in_json
from ailoop_otel.protocol.traits import NOTHING_KNOWN, Traits

# What a frame changed; several may apply to one frame.
NOTHING: Final = 0
FIRST: Final = 1  # it was the first with text of the answer
COMPLETE: Final = 2  # nothing more of the answer comes

OK: Final = "ok"
PROTOCOL_ERROR: Final = "protocol_error"
SERVER_ERROR: Final = "server_error"
DISCONNECTED: Final = "disconnected"
CANCELLED: Final = "cancelled"
AI_TIMEOUT: Final = "ai_timeout"
AI_ERROR: Final = "ai_error"
CUT: Final = "cut"
NO_ANSWER: Final = "no_answer"
OUTCOMES: Final = (
    OK, PROTOCOL_ERROR, SERVER_ERROR, DISCONNECTED, CANCELLED, AI_TIMEOUT, AI_ERROR, CUT, NO_ANSWER,
)  # fmt: skip

Time = TypeVar("Time", int, float)


class Answer(Generic[Time]):
    """What is known of the answer to one message. Times are of one monotonic clock, in the caller's unit; 0 is never.

    Whoever feeds it knows which frames belong to it: `take` gets those whose form is known by their beginning, `read`
    the other notifications, `reply` the reply to the message.

    `first`, `last`: when the first and the latest chunk came. `max_gap`: the longest time between two chunks; `gaps`
    holds all of them where a list was given. `stream_size`: the length of all frames with chunks, `answer_size` of the
    answer's text, characters. `unread`: frames that may have carried text of it in a form that is not known. `left`:
    when the client was seen to have left. `raised`: the class of an exception that the server raised instead.
    """

    __slots__ = (
        "_base", "_covered", "_cumulative", "_noticed", "_rest", "answer_size", "answered", "before", "calm", "chunks",
        "code", "command", "cut", "failed", "first", "frame_size", "from_frame", "gaps", "last", "left", "longest_at",
        "max_gap", "max_gap_before", "plain", "raised", "repeated", "stopped", "stream_size", "tail",
        "tail_at", "timed_out", "to_frame", "traits", "unread", "unread_first", "whole",
    )  # fmt: skip

    def __init__(self, began: Time, gaps: list[Time] | None = None) -> None:
        self.traits: Traits = NOTHING_KNOWN
        self.first: Time = began - began
        self.last: Time = began
        self.left: Time = self.first
        self.max_gap: Time = self.first
        # What the latest chunk changed, since it may turn out to be none (`_check_ending`): when the one before it
        # came, when the longest gap ended, and which gap was the longest until then.
        self.before: Time = began
        self.longest_at: Time = self.first
        self.max_gap_before: Time = self.first
        self.gaps: list[Time] | None = gaps
        self.chunks = 0
        self.stream_size = 0
        self.answer_size = 0
        self.unread = 0
        self.unread_first = False  # before the first chunk that was read
        self.command = False  # it is for the server itself, not for the AI
        self.answered = False  # the reply has come, or none is waited for
        self.whole = False
        self.cut = False
        self.failed = False
        self.stopped = False
        self.timed_out = False
        self.raised: str | None = None
        self.code: int | None = None  # of an error reply, as `jsonrpc.error_code` gives it
        # For code that counts further updates without `take` (`wire.socket`): the frames from `from_frame` up to
        # `to_frame` whose part `tail_at` equals `tail` and that are longer than `frame_size` are further chunks. No gap
        # that ends before `calm` is the longest.
        self.from_frame = self.to_frame = ""
        self.tail: str | None = None
        self.tail_at = slice(0)
        self.frame_size = 0  # of the latest update: an update of the same length is the repeat that ends a stream
        self.calm: Time = self.first
        self.repeated = False
        self.plain = False  # the updates are of the kind that ends with a repeat
        self._base = 0  # the frame's size where the latest model call's text begins; 0 where its buffer was empty
        self._rest = 0  # what of an update is not text; 0 until one with text was seen
        self._cumulative: bool | None = None  # how it is streamed, by its first chunk
        self._noticed = False  # a notice of the server shows that it is a command
        self._covered = False

    # --- Frames -------------------------------------------------------------------------------------------
    def take(self, now: Time, text: str, form: ChunkForm) -> int:
        """Take a frame that begins as those of `form` do; returns what it changed."""
        size = len(text)
        if form.final and text.endswith(form.final):
            return self._final(now, size, form.text_size(text))
        if not form.cumulative:
            return self._piece(now, size, form.text_size(text))
        empty = bool(form.empty) and text.startswith(form.empty)
        plain = bool(form.repeated) and text.endswith(form.repeated)
        changed = self._update(now, size, has_text=not empty, plain=plain)
        if not empty and not self._rest:
            self._rest = size - form.text_size(text)
        self._follow(text, form, follow=not empty and not self.repeated)
        return changed

    def read(self, now: Time, notice: Notice, size: int) -> int:
        """Take a notification of `size` characters; returns what it changed."""
        meaning = notice.meaning
        length = length_in_json(notice.text)  # as a form gives it
        if meaning is Meaning.UPDATE:
            changed = self._update(now, size, has_text=bool(length), plain=notice.repeats)
            if length and not self._rest:
                self._rest = size - length
            self.tail = None
            return changed
        if meaning is Meaning.PIECE:
            return self._piece(now, size, length)
        if meaning is Meaning.TEXT:
            return self._text(now, size) if length else NOTHING
        if meaning is Meaning.FINAL:
            return self._final(now, size, length)
        if meaning is Meaning.COMMAND:
            self._noticed = True
        elif meaning is Meaning.UNREADABLE:
            self.unreadable()
        elif meaning in (Meaning.FAILED, Meaning.TIMED_OUT, Meaning.SESSION_FAILED):
            self.failed = True
            self.timed_out = self.timed_out or meaning is Meaning.TIMED_OUT
            return COMPLETE
        elif meaning is Meaning.SESSION_ENDED:
            self.stopped = True
            return COMPLETE
        return NOTHING

    def unreadable(self) -> None:
        """A frame came that may have carried text of it, in a form that is not known."""
        self.unread += 1
        if not self.first:
            self.unread_first = True

    def reply(self, now: Time, reply: Reply, size: int) -> int:
        """Take the reply to the message, of `size` characters; returns what it changed."""
        self.answered = True
        if reply.kind is ReplyKind.RECEIVED:
            # It looks like a command, and it is one where a notice shows it, or where replies were seen to bring
            # answers: elsewhere the AI may be about to answer it.
            self.command = self._noticed or (self.command and self.traits.proved("reply_answers"))
            self.whole = self.whole or self.command
            return COMPLETE if self.command or self.whole or self.failed or self.stopped else NOTHING
        self.command = False
        self.failed = self.failed or reply.failed
        self.whole = bool(reply.text)
        changed = COMPLETE
        if reply.text:
            self._check_cover(reply)
            changed |= self._text(now, size)
            self._check_ending(reply)
        self.answer_size = len(reply.text)
        return changed

    def refuse(self, code: int) -> int:
        """Take an error reply instead."""
        self.answered = True
        self.code = code
        return COMPLETE

    def handled(self) -> None:
        """The server is done with a message that gets no reply: what was sent is all there is."""
        self.command = self._noticed
        self.whole = not self._is_empty()

    # --- What it came to ----------------------------------------------------------------------------------
    @property
    def knows_first(self) -> bool:
        """Whether `first` is the first chunk: not where an earlier frame may have carried text."""
        return bool(self.first) and (not self.unread_first or self._covered)

    @property
    def knows_stream(self) -> bool:
        """Whether all chunks were counted."""
        return not self.unread or self._covered

    @property
    def recovered(self) -> bool:
        """Whether a whole answer came after a timeout."""
        return self.timed_out and self._is_whole()

    @property
    def streamed_size(self) -> int:
        """The length of the text in the latest update, as JSON, characters; 0 where it was not streamed so."""
        # An update that was cut may be shorter than what is no text in the first one.
        return max(0, self.frame_size - self._rest) if self._cumulative else 0

    @property
    def outcome(self) -> str:
        """How the message ended: the first that applies, in the order of `names.OUTCOMES`."""
        whole = self._is_whole()
        troubled = self.code is not None or self.raised is not None or self.left or self.stopped
        if whole and not troubled:
            return OK
        by_rank = (
            (PROTOCOL_ERROR, self.code in PROTOCOL_ERRORS),
            (SERVER_ERROR, self.code is not None or self.raised is not None),
            (DISCONNECTED, bool(self.left)),
            (CANCELLED, self.stopped),
            (AI_TIMEOUT, self.timed_out and not whole),
            (AI_ERROR, self.failed),
            (CUT, self.cut or (bool(self.first) and not self.whole)),
            (NO_ANSWER, self._is_empty()),
        )
        return next((name for name, applies in by_rank if applies), OK)

    def _is_whole(self) -> bool:
        return self.whole and not self.cut and not self.failed and not self._is_empty()

    def _is_empty(self) -> bool:
        # Frames that were not read may have carried its text.
        return not self.first and not self.command and not self.unread

    # --- Chunks -------------------------------------------------------------------------------------------
    def _update(self, now: Time, size: int, *, has_text: bool, plain: bool) -> int:
        self.stream_size += size
        if self._cumulative is False:
            return NOTHING  # counted by its pieces
        if size <= self.frame_size:
            if size == self.frame_size:
                self.repeated = True
                self._base = size
                return NOTHING
            # Shorter than the one before: another model call began with an empty buffer.
            self.plain = plain
            self._base = 0
        self.frame_size = size
        if not has_text:
            return NOTHING
        self.repeated = False
        if not self._rest:
            self.plain = plain
        return self._chunk(now, cumulative=True)

    def _piece(self, now: Time, size: int, length: int) -> int:
        self.stream_size += size
        if self._cumulative or not length:
            return NOTHING  # counted by its updates, or nothing to count
        self.answer_size += length
        return self._chunk(now, cumulative=False)

    def _chunk(self, now: Time, *, cumulative: bool | None) -> int:
        gap = now - self.last
        self.before = self.last
        # In this order: the watchdog looks from another thread.
        self.last = now
        self.chunks += 1
        if self.chunks == 1:
            self.first = now
            self.command = False
            self._cumulative = cumulative
            return FIRST
        if self.gaps is not None:
            self.gaps.append(gap)
        if gap > self.max_gap:
            self.max_gap_before, self.longest_at = self.max_gap, now
            self.max_gap = gap
        return NOTHING

    def _text(self, now: Time, size: int) -> int:
        # The first chunk where nothing was streamed.
        if self.first:
            return NOTHING
        self.stream_size += size
        return self._chunk(now, cumulative=None)

    def _final(self, now: Time, size: int, length: int) -> int:
        # Its text repeats the last piece, unless it is the only one.
        changed = self._text(now, size) if length else NOTHING
        if changed:
            self.answer_size = length
        self.whole = True
        return changed | COMPLETE

    def _follow(self, text: str, form: ChunkForm, *, follow: bool) -> None:
        # An update that is followed by longer ones with the same end is cheap to recognise; the repeat and an update
        # without text are not.
        tail = form.tail(text) if follow else ""
        if isinstance(tail, str) and tail:
            self.tail, self.tail_at = tail, _last(len(tail))
            self.from_frame, self.to_frame = form.head, _after_all_with(form.head)
        else:
            self.tail = None

    # --- The end of a stream ------------------------------------------------------------------------------
    def _check_cover(self, reply: Reply) -> None:
        # Frames that were not read carried none of it where what was read is all of it.
        streamed = self.streamed_size or self.answer_size
        self._covered = bool(self.unread) and bool(self.chunks) and streamed >= len(reply.text)

    def _check_ending(self, reply: Reply) -> None:
        """Whether a stream of plain text was cut: where the server repeats the last update, a missing repeat shows it.

        Where the model's last words came with its finish reason, AILoop adds them a second time and repeats nothing:
        then the update holds more than the answer.
        """
        if not self._rest or not self.plain or self.repeated or not reply.shows_end or not self.traits.repeats:
            return
        streamed = self.frame_size - (self._base or self._rest)
        if streamed <= length_in_json(reply.text):
            self.cut = True
            return
        self.chunks -= 1
        if self.gaps:
            self.gaps.pop()
        if self.longest_at == self.last > self.before:
            self.max_gap = self.max_gap_before
        self.last = self.before


# Kept: each open exchange would hold one of its own.
@cache
def _last(length: int) -> slice:
    return slice(-length, None)


@cache
def _after_all_with(head: str) -> str:
    """What sorts after each text that begins with `head`."""
    return head[:-1] + chr(ord(head[-1]) + 1)
