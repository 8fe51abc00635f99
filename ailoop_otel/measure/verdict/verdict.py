"""What a run was judged to be: a verdict for each figure, with its reason, and one for the run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Final

EXIT_CODES: Final = {"pass": 0, "inconclusive": 0, "fail": 1}


class Verdict(Enum):
    """Whether a figure is as good as it has to be; inconclusive where the data cannot tell."""

    PASS = "pass"
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True)
class Judged:
    """One figure of one metric, held against one thing: a target or a baseline.

    `value` with its confidence interval `low` to `high` is in `unit`, as are `target`, the limit it was held against,
    and `reference`, the baseline's value. `change` is (value - reference) / reference with its interval `change_low`
    to `change_high`; 0.1 is ten per cent more. `allowed` is how much of a change for the worse is tolerated; in `unit`
    for what may well be 0 (errors, growth), where there is no `change`. `at_least` says which way the target is meant.
    NaN where nothing is known, None where there is no such thing. `n` counts the observations, `reference_n` the
    baseline's.
    """

    metric: str
    unit: str
    figure: str
    value: float
    low: float
    high: float
    verdict: Verdict
    reason: str
    target: float | None = None
    reference: float | None = None
    change: float | None = None
    change_low: float | None = None
    change_high: float | None = None
    allowed: float | None = None
    n: int = 0
    reference_n: int | None = None
    at_least: bool = False

    @property
    def against(self) -> str:
        """What the figure was held against: `target` or `baseline`."""
        return "target" if self.target is not None else "baseline"


@dataclass(frozen=True, slots=True)
class Judgement:
    """All figures that were judged, what they come to, what a reader must know, and how intervals were made."""

    rows: tuple[Judged, ...]
    verdict: Verdict
    notes: tuple[str, ...] = ()
    method: str = ""

    def exit_code(self, *, strict: bool = False) -> int:
        """The exit code for CI: 1 for a failure, and for what is inconclusive if that is not good enough."""
        return 1 if strict and self.verdict is not Verdict.PASS else EXIT_CODES[self.verdict.value]


def overall(verdicts: Iterable[Verdict]) -> Verdict:
    """One verdict from many: fail if any fails, pass if all pass (or there is none), else inconclusive."""
    seen = set(verdicts)
    if Verdict.FAIL in seen:
        return Verdict.FAIL
    return Verdict.INCONCLUSIVE if Verdict.INCONCLUSIVE in seen else Verdict.PASS
