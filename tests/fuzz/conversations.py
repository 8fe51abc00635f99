"""Whole conversations of hostile clients and broken servers, on several sockets, through the middleware."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as some

from tests.fuzz.target import Target
from tests.laws.test_hostile import Town, happenings


def check(story: list[Any]) -> None:
    """What the laws say of everything that is recorded holds."""
    town = Town()
    for what, number, detail in story:
        town.happen(what, number, detail)
    town.over()


TARGET = Target(
    "conversations",
    "wire/, tracking/ and recording/",
    some.lists(happenings, min_size=5, max_size=25),
    check,
    random=1_000,
)
