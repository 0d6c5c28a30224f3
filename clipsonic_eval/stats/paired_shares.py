"""Limits of the difference of two paired shares, such as accuracies on the same queries.

Where few clips differ between two systems, neither resamples nor flips of signs see beyond those few: a system that
differs in one clip of fifty, for the better, gets an upper limit of zero harm. The score interval knows that the next
fifty may differ.

Source: T. Tango, Equivalence test and confidence interval for the difference in proportions for the paired-sample
design, 1998.
"""

from __future__ import annotations

import math
from typing import Final

from scipy import optimize, special

from clipsonic_eval.stats.bootstrap import Interval

_ROUNDING: Final = 1e-12


def tango_limits(gained: int, lost: int, n: int, level: float = 0.05) -> Interval:
    """Return the lower and the upper one-sided score limit of the difference (gained − lost) / n of two shares.

    Args:
        gained: pairs of which only the first is a hit.
        lost: pairs of which only the second is.
        n: all pairs.
        level: of each one-sided limit.

    Example:
        >>> low, high = tango_limits(1, 0, 50)
        >>> round(low, 3), round(high, 3)
        (-0.032, 0.085)
    """
    return -_upper(lost, gained, n, level), _upper(gained, lost, n, level)


def _upper(b: int, c: int, n: int, level: float) -> float:
    z = float(special.ndtri(1 - level))

    def beyond(d: float) -> float:
        # q₂₁ is the likeliest share of pairs of which only the second is a hit, given the difference d:
        # 2n q² + (−b − c + (2n − b + c) d) q − c d (1 − d) = 0
        p, q = -b - c + (2 * n - b + c) * d, c * d * (1 - d)
        share = (math.sqrt(p * p + 8 * n * q) - p) / (4 * n)
        # (b − c − n d) / √(n (2 q₂₁ + d (1 − d))) = −z at the upper limit
        return b - c - n * d + z * math.sqrt(max(n * (2 * share + d * (1 - d)), 0.0))

    start = (b - c) / n + _ROUNDING  # above the estimate, where the statistic of no differing pairs is 0
    if beyond(start) <= 0:
        return (b - c) / n
    return 1.0 if beyond(1.0) >= 0 else float(optimize.brentq(beyond, start, 1.0))
