"""What a test made, and where it is now: delivered, kept on disk or lost. Nothing may be missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

FIELDS = ("made", "delivered", "kept", "lost")
# The name under which a count travels with the report of its test.
PROPERTY = "balance"


class Balance:
    """The counts of one test, which go with its report."""

    def __init__(self, properties: list[tuple[str, object]]) -> None:
        self._properties = properties

    def __call__(self, of: str, *, made: int, delivered: int = 0, kept: int = 0, lost: int = 0) -> None:
        """Note how many of some things (`spans`, `messages`, …) were made, and what became of them.

        `kept` are those on disk that were not delivered; `lost` are those that the package itself says are lost.
        AssertionError if they do not add up.
        """
        assert made == delivered + kept + lost, f"{made} {of} made: {delivered=}, {kept=}, {lost=}"
        self._properties.append((PROPERTY, [of, made, delivered, kept, lost]))


def added(counts: Iterable[list[object]]) -> dict[str, dict[str, int]]:
    """The sums of noted counts, for each kind of thing."""
    sums: dict[str, Counter[str]] = {}
    for of, *numbers in counts:
        sums.setdefault(str(of), Counter(dict.fromkeys(FIELDS, 0))).update(
            dict(zip(FIELDS, map(int, map(str, numbers)), strict=True))
        )
    return {of: dict(found) for of, found in sorted(sums.items())}
