"""How many independent values a series of dependent ones is worth.

Values of one run that are near in time are alike: a busy minute makes all of its answers slow. The series is taken as
ranks, which no outlier and no failure (infinity) disturbs, and as autoregressive of the first order.

Sources: the effective number of observations is that of Bayley and Hammersley 1946, "The 'effective' number of
independent observations in an autocorrelated time series"; the bias of the correlation is that of Marriott and Pope
1954, "Bias in the estimation of autocorrelations"; the correlation of "is above the percentile" follows from that of a
normal series by the integral in Kedem 1980, "Binary time series" (for a median it is the arcsine law).
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import scipy

from ailoop_otel.measure.statistics.percentiles import Values

# Fewer values show no dependence.
_FEWEST: Final = 8
# A correlation counts from the value on that one of a hundred independent series exceeds.
_NOTICED: Final = 2.33


def correlation(values: Values) -> float:
    """The correlation of neighbours in a series, 0 to just below 1; 0 where it is no larger than by chance."""
    n = len(values)
    if n < _FEWEST:
        return 0.0
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    # Of equal values the mean of their ranks.
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    apart = ranks - ranks.mean()
    total = float(apart @ apart)
    found = float(apart[1:] @ apart[:-1]) / total if total else 0.0
    if found < _NOTICED / math.sqrt(n):
        return 0.0
    return min(found + (1 + 3 * found) / n, 1 - 1 / n)


def effective_size(values: Values, percent: float | None = None) -> float:
    """How many independent values would know the percentile (0 to 100) as well; without one, the mean.

    `values` are in order of time, infinity allowed. At least 1, at most their number.
    """
    n, neighbours = len(values), correlation(values)
    if not neighbours:
        return float(n)
    lags = np.arange(1, n)
    alike = neighbours**lags
    if percent is not None:
        share, threshold = percent / 100, scipy.special.ndtri(percent / 100)
        grid = np.linspace(0.0, 1.0, 2001)[:-1]
        density = np.exp(-(threshold**2) / (1 + grid)) / (2 * math.pi * np.sqrt(1 - grid**2))
        joint = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2 * np.diff(grid))])
        alike = np.interp(alike, grid, joint) / (share * (1 - share))
    return max(1.0, n / (1 + 2 * float(((1 - lags / n) * alike).sum())))
