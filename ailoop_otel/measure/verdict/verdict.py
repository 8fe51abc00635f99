"""Verdicts: one for each figure, with its reason, and one for the run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum


class Verdict(Enum):
    """Whether a figure is as good as required; inconclusive where the data cannot decide.

    A run without anything to judge it by is not judged, which is no pass.
    """

    PASS = "pass"
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    NOT_JUDGED = "not judged"


@dataclass(frozen=True, slots=True)
class Judged:
    """One figure of one metric, judged by a target or by a baseline.

    `value` with its confidence interval `low` to `high` is in `unit`, as are `target`, its limit, and `reference`, the
    baseline's value. `change` is (value - reference) / reference with its interval `change_low` to `change_high`; 0.1
    is ten per cent more. `allowed` is the tolerated change for the worse, as a share; for metrics that may be 0
    (errors, growth) there is no `change`, and `allowed` is in `unit`. `at_least` is true where the target is a lower
    limit. NaN is an unknown number, None one that does not apply. `n` is the number of observations, `reference_n`
    the baseline's.
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
        """What the figure was judged by: `target` or `baseline`."""
        return "target" if self.target is not None else "baseline"

    @property
    def limit(self) -> float | None:
        """The target or the baseline's value."""
        return self.target if self.target is not None else self.reference


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdicts on all figures, the verdict on the run, notes, and how the intervals were computed."""

    rows: tuple[Judged, ...]
    verdict: Verdict
    notes: tuple[str, ...] = ()
    method: str = ""

    @property
    def own_verdict(self) -> Verdict:
        """The verdict on the run for reasons of its own, such as its load: a pass where the figures explain it."""
        return Verdict.PASS if self.verdict in {row.verdict for row in self.rows} else self.verdict

    def exit_code(self, *, strict: bool = False) -> int:
        """The exit code for CI: 1 for a failure, and with `strict` also for an inconclusive verdict."""
        return int(self.verdict is Verdict.FAIL or (strict and self.verdict is Verdict.INCONCLUSIVE))


def overall(verdicts: Iterable[Verdict]) -> Verdict:
    """One verdict from many: fail if any fails, inconclusive if any is, else pass; not judged if there is none."""
    seen = set(verdicts)
    order = (Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.PASS)
    return next((each for each in order if each in seen), Verdict.NOT_JUDGED)
