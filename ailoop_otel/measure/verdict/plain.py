"""What is plain: so far beyond its limit, or within it, that neither few values nor dependent ones are a question.

These rules need no independence of the values, and no correction for the number of figures: noise that lasts for a
whole run moves the level of the run, but does not double each single time, nor make one request in four fail.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import scipy

from ailoop_otel.measure.statistics.estimates import Estimate

PLAIN: Final = 2.0
"""A figure of times fails where each of at least `FEWEST` observations is beyond the limit by this factor."""
FEWEST: Final = 5
FAILURES: Final = 250.0
"""An error rate fails where so many more of 1,000 fail than may, surely enough (`_SURE`)."""
_SURE: Final = 0.001


def plainly_beyond(found: Estimate, limit: float, sign: int) -> bool:
    """Whether each of the observations is beyond a limit by the factor `PLAIN`; `sign` is -1 for a lower limit."""
    values = found.values
    if values is None or len(values) < FEWEST:
        return False
    return bool(values.min() > PLAIN * limit if sign > 0 else values.max() < limit / PLAIN)


def plainly_within(found: Estimate, limit: float, sign: int) -> bool:
    """Whether each of as many observations as independent ones would need is within a limit by the factor `PLAIN`."""
    values = found.values
    if values is None or len(values) ** 2 < found.needed * found.worth:
        return False
    return bool(values.max() * PLAIN < limit if sign > 0 else values.min() > limit * PLAIN)


def plainly_failing(now: Estimate, limit: float, before: Estimate | None = None) -> bool:
    """Whether far more of 1,000 exchanges failed than the limit, or than the baseline's share and the limit.

    That it is no chance is said by the exact binomial test, or Fisher's.
    """
    if now.value - limit - (before.value if before else 0.0) < FAILURES:
        return False
    failed = round(now.value / 1000 * now.n)
    if before is None:
        return bool(scipy.stats.binomtest(failed, now.n, limit / 1000, alternative="greater").pvalue <= _SURE)
    then = round(before.value / 1000 * before.n)
    table = np.array([[failed, now.n - failed], [then, before.n - then]])
    return bool(scipy.stats.fisher_exact(table, alternative="greater").pvalue <= _SURE)
