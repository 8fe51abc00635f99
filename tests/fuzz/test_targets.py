"""A few hundred random examples of each target; `make fuzz` tries as many as there is time for."""

from __future__ import annotations

import pytest

from tests.fuzz.random_examples import run
from tests.fuzz.targets import TARGETS

EXAMPLES = 200
DEAR = {"recorded-files": 40, "conversations": 25}


@pytest.mark.parametrize("name", TARGETS)
def test_no_example_does_harm(name: str) -> None:
    """The same examples each time."""
    wanted = DEAR.get(name, EXAMPLES)
    assert run(TARGETS[name], wanted, seed=0) >= wanted // 2


@pytest.mark.parametrize("name", [name for name, target in TARGETS.items() if target.guided])
def test_the_seeds_of_a_target_do_no_harm(name: str) -> None:
    """What the coverage-guided engine begins with, cut anywhere."""
    target = TARGETS[name]
    for seed in target.seeds:
        for end in range(0, len(seed) + 1, 7):
            target.check(target.from_bytes(seed[:end]))
