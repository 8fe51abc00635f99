"""What is known of how a server speaks: for each trait what frames have proved, else what its dialects make likely."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Final

from ailoop_otel.protocol.dialect import Dialect, Reply, ReplyKind

UNKNOWN: Final = "unknown"
MIXED: Final = "mixed"
TRAITS: Final = (
    "queues", "answers_notifications", "socket_owns_session", "stop_cuts", "repeats", "reply_answers",
)  # fmt: skip


class Traits:
    """The evidence of one connection. Each trait is True, False, or None while it is open.

    A trait is open where no dialect has been seen, and where the dialects that have been seen differ in it. What a
    frame has proved holds whatever the dialects say. Instances are shared and never change: the methods give another.
    """

    __slots__ = (*TRAITS, "_proofs", "commands", "dialects", "name")

    queues: bool | None
    answers_notifications: bool | None
    socket_owns_session: bool | None
    stop_cuts: bool | None
    repeats: bool | None
    reply_answers: bool | None

    def __init__(self, dialects: tuple[Dialect, ...], proofs: frozenset[tuple[str, bool]]) -> None:
        self.dialects = dialects
        self._proofs = proofs
        proved = dict(proofs)
        for trait in TRAITS:
            likely = {getattr(dialect, trait) for dialect in dialects}
            setattr(self, trait, proved.get(trait, likely.pop() if len(likely) == 1 else None))
        self.commands = frozenset[str]().union(*(dialect.commands for dialect in dialects))
        names = {dialect.name for dialect in dialects}
        self.name = UNKNOWN if not names else dialects[0].name if len(names) == 1 else MIXED

    def seen(self, dialect: Dialect) -> Traits:
        """As this, after a frame that only `dialect` sends."""
        if dialect in self.dialects:
            return self
        return _made((*self.dialects, dialect), self._proofs)

    def proven(self, trait: str, value: bool) -> Traits:
        """As this, after a frame that proved a trait; the latest proof counts."""
        if (trait, value) in self._proofs:
            return self
        return _made(self.dialects, (self._proofs - {(trait, not value)}) | {(trait, value)})

    def proved(self, trait: str) -> bool:
        """Whether a frame proved that a trait is True."""
        return (trait, True) in self._proofs

    def replied(self, known: Sequence[tuple[Dialect, Reply]], *, command: bool) -> Traits:
        """As this, after the reply to a message, read as `known` (`Registry.replies`).

        `command`: the message may have been for the server itself, and then such a reply proves nothing.
        """
        dialect, reply = known[0]
        if reply.kind is ReplyKind.ANSWER:
            return self.seen(dialect).proven("reply_answers", True)
        if command:
            return self
        # A form that several dialects share speaks for none of them, unless only one of them acknowledges at all.
        likely = [dialect for dialect, _ in known if not dialect.reply_answers]
        return (self.seen(likely[0]) if len(likely) == 1 else self).proven("reply_answers", False)


@cache
def _made(dialects: tuple[Dialect, ...], proofs: frozenset[tuple[str, bool]]) -> Traits:
    return Traits(dialects, proofs)


NOTHING_KNOWN: Final = _made((), frozenset())
