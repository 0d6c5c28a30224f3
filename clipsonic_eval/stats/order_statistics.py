"""Percentiles with distribution-free confidence intervals, and none where n is too small for one.

The number of values at or below the p-quantile of a continuous population is binomial, B ~ Bin(n, p). So the order
statistics X₍l₎ and X₍u₎ enclose the quantile with probability P(l ≤ B ≤ u − 1), whatever the population. The upper end
exists if pⁿ ≤ 2.5 %: at n ≥ 6, 36, 72 and 368 for the 50th, 90th, 95th and 99th percentile. Below that even the
largest value bounds nothing, and a percentile would be a guess.

Values must be independent. Latencies of one process are not quite: neighbours resemble each other, and processes
differ by more than the interval of either.

Source: H. A. David and H. N. Nagaraja, Order Statistics, 3rd ed., 2003, section 7.1; the point estimate is type 7 of
R. J. Hyndman and Y. Fan, Sample quantiles in statistical packages, 1996, as in NumPy.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from clipsonic_eval.arraytypes import Float64
from clipsonic_eval.errors import ShapeError
from clipsonic_eval.stats.bootstrap import Interval, require_finite

METHOD = "order-statistics"


@dataclass(frozen=True, slots=True)
class Percentile:
    """A percentile with its interval.

    Attributes:
        value: type 7 estimate (linear between order statistics), in the unit of the values.
        ci: the enclosing order statistics.
        coverage: the probability that they enclose it, at least the level asked for.
        n: number of values.
    """

    value: float
    ci: Interval
    coverage: float
    n: int


def percentile(values: Float64, p: float, level: float = 0.95) -> Percentile | None:
    """Return a percentile with its confidence interval, None if n is too small for one.

    Args:
        values: (n,) float64.
        p: 0.9 for the 90th percentile.
        level: of the interval; at most (1 − level)/2 lies beyond each end.

    Raises:
        ShapeError: a value is not finite, or p or level is not between 0 and 1.

    Example:
        >>> found = percentile(np.arange(1.0, 101.0), 0.9)
        >>> round(found.value, 6), found.ci
        (90.1, (84.0, 96.0))
        >>> percentile(np.arange(35.0), 0.9) is None
        True
    """
    require_finite(values, "values of a percentile")
    n = len(values)
    if n < least(p, level):
        return None
    low, high = ranks(n, p, level)
    ordered = np.sort(values)
    ci = (float(ordered[low - 1]), float(ordered[high - 1]))
    coverage = float(stats.binom.cdf(high - 1, n, p) - stats.binom.cdf(low - 1, n, p))
    return Percentile(float(np.quantile(ordered, p)), ci, coverage, n)


def ranks(n: int, p: float, level: float = 0.95) -> tuple[int, int]:
    """Return the ranks l < u, from 1, of the order statistics that enclose the p-quantile of a population.

    Raises:
        ShapeError: n is too small (:func:`least`), or p or level is not between 0 and 1.

    Example:
        >>> ranks(6, 0.5)  # smallest and largest
        (1, 6)
    """
    if n < least(p, level):
        raise ShapeError(f"{n} values are too few for an interval of the {100 * p:g}th percentile: {least(p, level)}")
    tail = (1 - level) / 2
    # l: the largest with P(B < l) ≤ tail;  u: the smallest with P(B ≥ u) ≤ tail
    low = int(stats.binom.ppf(tail, n, p))
    low += int(stats.binom.cdf(low, n, p) <= tail)
    high = int(stats.binom.isf(tail, n, p)) + 1
    return low, high


def least(p: float, level: float = 0.95) -> int:
    """Return the smallest n at which both ends of the interval exist.

    Example:
        >>> [least(p) for p in (0.5, 0.9, 0.95, 0.99)]
        [6, 36, 72, 368]
    """
    if not (0 < p < 1 and 0 < level < 1):
        raise ShapeError(f"a percentile and a level lie between 0 and 1, got {p} and {level}")
    # the largest value lies below the quantile with probability pⁿ, the smallest above it with (1 − p)ⁿ
    return math.ceil(math.log((1 - level) / 2) / math.log(max(p, 1 - p)))
