"""By how much one sample lies above another: the shift of a whole distribution, which a few values decide."""

from __future__ import annotations

from functools import lru_cache
from typing import Final, Literal

import numpy as np
import scipy

from ailoop_otel.measure.statistics.intervals import Bounds, UncertainValue, without_interval
from ailoop_otel.measure.statistics.percentiles import Values, percentile

# For larger samples the normal distribution is used.
_EXACT: Final = 40


def hodges_lehmann(one: Values, other: Values, sizes: tuple[float, float]) -> UncertainValue:
    """The shift from `other` to `one`: the median of all differences, with the interval of the Mann-Whitney test.

    Hodges and Lehmann 1963, "Estimates of location based on rank tests"; the interval holds the shifts that the test
    (exact for small samples) does not reject: Hollander, Wolfe and Chicken 2014, "Nonparametric statistical methods",
    section 4.3. Both samples are one-dimensional, infinity allowed; `sizes` are the numbers of independent values that
    they are worth. A bound is infinite where the samples are too small for one.
    """
    with np.errstate(invalid="ignore"):
        differences = np.sort(np.nan_to_num(np.subtract.outer(one, other), posinf=np.inf, neginf=-np.inf).ravel())

    def bounds(confidence: float) -> Bounds:
        m, n = max(1, int(sizes[0])), max(1, int(sizes[1]))
        outside = _outside(m, n, (1 - confidence) / 2)
        if outside < 0:
            return -np.inf, np.inf
        # With dependent values the same share of the differences lies outside as with fewer independent ones.
        place = outside * len(differences) // (m * n)
        return float(differences[place]), float(differences[-1 - place])

    return UncertainValue(percentile(differences, 50), bounds) if len(differences) else without_interval(0.0)


@lru_cache(maxsize=1024)
def _outside(m: int, n: int, tail: float) -> int:
    """The largest k for which P(U <= k) is at most `tail`, U being Mann and Whitney's statistic; -1 for none."""
    low, high = -1, m * n // 2
    while low < high:
        middle = (low + high + 1) // 2
        if _at_most(m, n, middle) <= tail:
            low = middle
        else:
            high = middle - 1
    return low


def _at_most(m: int, n: int, k: int) -> float:
    """P(U <= k) under no shift, by scipy's test of two samples that have this U."""
    below = np.minimum(n, np.maximum(0, k - n * np.arange(m)))
    one, other = below - 0.75 + 0.5 * np.arange(m) / m, np.arange(n, dtype=float)
    method: Literal["asymptotic", "exact"] = "asymptotic" if min(m, n) > _EXACT else "exact"
    return float(scipy.stats.mannwhitneyu(one, other, alternative="less", method=method).pvalue)
