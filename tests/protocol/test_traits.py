"""What is known of how a server speaks, from one frame to the next."""

from __future__ import annotations

import pytest

from ailoop_otel.protocol.delegates import Delegates
from ailoop_otel.protocol.dialect import Dialect, Reply, ReplyKind
from ailoop_otel.protocol.stateless import Stateless
from ailoop_otel.protocol.traits import MIXED, NOTHING_KNOWN, TRAITS, UNKNOWN

STATELESS, DELEGATES = Stateless(), Delegates()
ANSWER, RECEIVED = Reply(ReplyKind.ANSWER, "a"), Reply(ReplyKind.RECEIVED)


class Acknowledging(Dialect):
    """Another dialect that acknowledges only."""

    name = "acknowledging"
    reply_answers = False


def test_before_the_first_frame_every_trait_is_open() -> None:
    """And there are no commands."""
    assert [getattr(NOTHING_KNOWN, trait) for trait in TRAITS] == [None] * 6
    assert (NOTHING_KNOWN.name, NOTHING_KNOWN.commands, NOTHING_KNOWN.dialects) == (UNKNOWN, frozenset(), ())


@pytest.mark.parametrize("dialect", [STATELESS, DELEGATES])
def test_a_dialect_that_was_seen_makes_its_traits_likely(dialect: Dialect) -> None:
    """All of them, its name and its commands; seen again it is the same."""
    seen = NOTHING_KNOWN.seen(dialect)
    assert [getattr(seen, trait) for trait in TRAITS] == [getattr(dialect, trait) for trait in TRAITS]
    assert (seen.name, seen.commands, seen.dialects) == (dialect.name, dialect.commands, (dialect,))
    assert seen.seen(dialect) is seen
    assert NOTHING_KNOWN.seen(dialect) is seen


def test_where_dialects_differ_a_trait_is_open_until_it_is_proved() -> None:
    """A proof holds whatever is seen, and the latest one counts."""
    both = NOTHING_KNOWN.seen(STATELESS).seen(DELEGATES)
    assert (both.name, both.commands, both.queues) == (MIXED, STATELESS.commands, None)
    queues = both.proven("queues", True)
    assert (queues.queues, queues.repeats, queues.dialects) == (True, None, both.dialects)
    assert queues.proven("queues", True) is queues
    assert queues.proven("queues", False).queues is False
    assert queues.proven("queues", False).proven("queues", True) is queues
    assert NOTHING_KNOWN.proven("queues", True).seen(STATELESS).queues is True
    assert queues.proven("repeats", False).queues is True


def test_an_answer_in_a_reply_shows_its_dialect_and_that_replies_answer() -> None:
    """Also where the message may have been a command."""
    for command in (True, False):
        traits = NOTHING_KNOWN.replied([(STATELESS, ANSWER)], command=command)
        assert (traits.dialects, traits.reply_answers) == ((STATELESS,), True)


@pytest.mark.parametrize(
    ("dialects", "seen"),
    [
        ([STATELESS, DELEGATES], (DELEGATES,)),
        ([DELEGATES], (DELEGATES,)),
        ([STATELESS], ()),
        ([STATELESS, DELEGATES, Acknowledging()], ()),
    ],
)
def test_an_acknowledgement_shows_the_only_dialect_that_acknowledges(
    dialects: list[Dialect], seen: tuple[Dialect, ...]
) -> None:
    """And that replies bring no answer; after what may be a command it shows nothing."""
    known = [(dialect, RECEIVED) for dialect in dialects]
    traits = NOTHING_KNOWN.replied(known, command=False)
    assert (traits.dialects, traits.reply_answers) == (seen, False)
    assert NOTHING_KNOWN.replied(known, command=True) is NOTHING_KNOWN
