"""What frames show of how a server speaks: open, likely by the dialects seen, proven."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ailoop_otel.protocol.delegates import Delegates
from ailoop_otel.protocol.dialect import Dialect, Reply, ReplyKind
from ailoop_otel.protocol.stateless import Stateless
from ailoop_otel.protocol.traits import MIXED, NOTHING_KNOWN, TRAITS, UNKNOWN, Traits
from tests.protocol.invented import dialect

STATELESS, DELEGATES = Stateless(), Delegates()
RECEIVED = Reply(ReplyKind.RECEIVED)


def values(traits: Traits) -> dict[str, Any]:
    """All traits by name."""
    return {trait: getattr(traits, trait) for trait in TRAITS}


def test_each_trait_is_open_at_first() -> None:
    """Nothing is guessed."""
    assert set(values(NOTHING_KNOWN).values()) == {None}
    assert (NOTHING_KNOWN.name, NOTHING_KNOWN.dialects, NOTHING_KNOWN.commands) == (UNKNOWN, (), frozenset())


@pytest.mark.parametrize("one", [STATELESS, DELEGATES])
def test_a_dialect_that_was_seen_makes_its_traits_likely(one: Dialect) -> None:
    """All of them, until another is seen."""
    traits = NOTHING_KNOWN.seen(one)
    assert values(traits) == {trait: getattr(one, trait) for trait in TRAITS}
    assert (traits.name, traits.commands) == (one.name, one.commands)
    assert traits.seen(one) is traits


def test_where_dialects_differ_a_trait_is_open_again() -> None:
    """Where they agree it is likely."""
    traits = NOTHING_KNOWN.seen(STATELESS).seen(dialect(queues=True, reply_answers=True)())
    assert traits.queues is None
    assert traits.reply_answers is True
    assert traits.stop_cuts is False
    assert traits.name == MIXED


@pytest.mark.parametrize("value", [True, False])
@pytest.mark.parametrize("trait", TRAITS)
def test_a_proof_wins_over_what_is_likely(trait: str, value: bool) -> None:
    """Before and after dialects are seen; a later proof over an earlier one."""
    proven = NOTHING_KNOWN.proven(trait, value)
    assert values(proven) == {**dict.fromkeys(TRAITS), trait: value}
    for each in (proven.seen(STATELESS).seen(DELEGATES), NOTHING_KNOWN.seen(DELEGATES).proven(trait, value)):
        assert getattr(each, trait) is value
        assert each.proven(trait, value) is each
        assert getattr(each.proven(trait, not value), trait) is not value
        assert getattr(each.proven(trait, not value).proven(trait, value), trait) is value


FLAGS = st.fixed_dictionaries({trait: st.booleans() for trait in TRAITS})
DIALECTS = st.lists(FLAGS, max_size=4).map(
    lambda rows: [dialect(name=f"d{number}", **row)() for number, row in enumerate(rows)]
)
STEP = st.tuples(st.sampled_from(TRAITS), st.booleans())


@given(DIALECTS, st.lists(STEP, max_size=6), st.randoms(use_true_random=False))
def test_the_order_of_evidence_does_not_matter(dialects: list[Dialect], proofs: list[Any], random: Any) -> None:
    """But that of two proofs of the same trait: then the latest counts. A likely trait is what all dialects share."""
    steps: list[Any] = [*dialects, *dict(proofs).items()]
    random.shuffle(steps)
    traits = NOTHING_KNOWN
    for step in steps:
        traits = traits.proven(*step) if isinstance(step, tuple) else traits.seen(step)
    for trait in TRAITS:
        shared = {getattr(each, trait) for each in dialects}
        likely = shared.pop() if len(shared) == 1 else None
        assert getattr(traits, trait) is dict(proofs).get(trait, likely)
    assert traits.name == (UNKNOWN, "d0", MIXED)[min(2, len(dialects))]
    assert traits.commands == frozenset()


@given(st.lists(STEP, max_size=12))
def test_the_latest_proof_of_a_trait_counts(proofs: list[Any]) -> None:
    """However often it changed."""
    traits = NOTHING_KNOWN
    for proof in proofs:
        traits = traits.proven(*proof)
    assert values(traits) == {**dict.fromkeys(TRAITS), **dict(proofs)}


# --- Replies ----------------------------------------------------------------------------------------------
def test_an_answer_in_the_reply_proves_that_replies_answer() -> None:
    """And is a frame of its dialect."""
    traits = NOTHING_KNOWN.replied([(STATELESS, Reply(ReplyKind.ANSWER, "x"))], command=False)
    assert (traits.reply_answers, traits.name) == (True, "stateless")


def test_a_reply_that_only_acknowledges_proves_that_it_does() -> None:
    """Of several dialects that know such a reply, only one that always replies so is seen."""
    traits = NOTHING_KNOWN.replied([(STATELESS, RECEIVED), (DELEGATES, RECEIVED)], command=False)
    assert (traits.reply_answers, traits.name) == (False, "delegates")
    both = [(DELEGATES, RECEIVED), (dialect(reply_answers=False)(), RECEIVED)]
    traits = NOTHING_KNOWN.replied(both, command=False)
    assert (traits.reply_answers, traits.name) == (False, UNKNOWN)
    traits = NOTHING_KNOWN.replied([(STATELESS, RECEIVED)], command=False)
    assert (traits.reply_answers, traits.name) == (False, UNKNOWN)


def test_the_reply_to_what_may_be_a_command_proves_nothing() -> None:
    """The server answers commands without its AI; an answer is one all the same."""
    assert NOTHING_KNOWN.replied([(DELEGATES, RECEIVED)], command=True) is NOTHING_KNOWN
    assert NOTHING_KNOWN.replied([(STATELESS, Reply(ReplyKind.ANSWER, "x"))], command=True).reply_answers is True


def test_a_connection_is_named_by_its_only_dialect() -> None:
    """Unknown without one, mixed with two; made anew each is the same."""
    one, other = Stateless(), Delegates()
    found = [Traits(dialects, frozenset()).name for dialects in ((), (one,), (one, one), (one, other))]
    assert found == [UNKNOWN, "stateless", "stateless", MIXED]
