"""Medians and their intervals, over rounds in which all contenders had their turn."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tests.benchmarks.figures import Spread

_RESAMPLES = 1000
_SEED = 20_260_101
Samples = Sequence[float] | np.ndarray


def bootstrap(statistic: Callable[..., float], *samples: Samples) -> Spread:
    """The statistic of the samples, and its 95 % interval when whole rounds are drawn again with replacement.

    The n-th values of all samples are of one round and stay together. Percentile bootstrap (Efron 1979).
    """
    arrays = [np.asarray(sample, dtype=float) for sample in samples]
    rounds = min(len(array) for array in arrays)
    arrays = [array[:rounds] for array in arrays]
    generator = np.random.default_rng(_SEED)
    drawn = generator.integers(0, rounds, (_RESAMPLES, rounds))
    values = [statistic(*(array[index] for array in arrays)) for index in drawn]
    low, high = np.percentile(values, (2.5, 97.5))
    return Spread(float(statistic(*arrays)), float(low), float(high))


def unpaired(statistic: Callable[..., float], *samples: Samples) -> Spread:
    """As `bootstrap`, of samples that have nothing to do with each other round by round."""
    arrays = [np.asarray(sample, dtype=float) for sample in samples]
    generator = np.random.default_rng(_SEED)
    values = [
        statistic(*(array[generator.integers(0, len(array), len(array))] for array in arrays))
        for _ in range(_RESAMPLES)
    ]
    low, high = np.percentile(values, (2.5, 97.5))
    return Spread(float(statistic(*arrays)), float(low), float(high))


def median(samples: Samples) -> Spread:
    """The median and its interval."""
    return bootstrap(middle, samples)


def middle(sample: Samples) -> float:
    """The median."""
    return float(np.median(sample))


def percentile(sample: Samples, of_100: float) -> float:
    """A percentile; the nearest value that was seen, never one between two."""
    if not 1 <= of_100 <= 100:
        raise ValueError(f"a percentile is between 1 and 100, not {of_100}")
    return float(np.percentile(sample, of_100, method="inverted_cdf"))
