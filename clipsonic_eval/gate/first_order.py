"""Whether the influences of clips describe how a statistic of sets scatters, so that a test may be made of them.

A stored record holds no resamples, only one influence per clip: the first-order term of the statistic. Where curvature
matters (few clips for the dimensions, or a distance near zero) the spread that influences predict differs from that of
the resamples, which the stored interval shows.
"""

from __future__ import annotations

import math
from typing import Final

from scipy import special

from clipsonic_eval.types import Score

TOLERANCE: Final = 0.1  # of the spread
_INTERVAL: Final = ("debiased_low", "debiased_high")  # ends before they were cut at the metric's bounds


def first_order_fails(score: Score) -> str:
    """Return why a test must not be made of the influences of a score, "" if it may.

    - It was computed from fewer clips than its vectors have dimensions, and fits a covariance.
    - The influences predict an interval that is more than :data:`TOLERANCE` narrower or wider than the stored one.
    - There is nothing to hold them against: no influences, or no interval.

    Args:
        score: of a statistic of sets.

    Example:
        >>> told = Score("fad", "PD", 2.0, (1.0, 3.0), "bootstrap", 200, 200, "squared distance", False, "fad|n:200")
        >>> first_order_fails(told)
        "fad of 'PD' has no influences of its clips; evaluate again"
    """
    name = f"{score.metric} of '{score.system}'"
    values = (*score.influence.values(), *score.reference_influence.values())
    if not values:
        return f"{name} has no influences of its clips; evaluate again"
    dimensions = score.details.get("dimensions", 0)
    if dimensions > score.n:
        return (
            f"{name}: {score.n} clips for {dimensions:.0f} dimensions are too few for its first-order influences; "
            "evaluate more clips, or limit a metric that fits no covariance"
        )
    stored = _width(score)
    if stored is None:
        return f"{name} has no interval to hold its influences against; evaluate with resamples"
    predicted = 2 * float(special.ndtri((1 + score.ci_level) / 2)) * math.sqrt(math.fsum(v * v for v in values))
    apart = abs(predicted - stored)
    if apart <= TOLERANCE * stored or apart <= 1e-9 * abs(score.value):
        return ""
    return (
        f"{name}: the influences of its clips predict an interval of width {predicted:.3g}, its resamples gave "
        f"{stored:.3g}; more than {TOLERANCE:.0%} apart, so no test is made of them; evaluate more clips, or both "
        "systems in one run"
    )


def _width(score: Score) -> float | None:
    """Return the width of the interval, before it was cut at bounds of the metric."""
    if all(name in score.details for name in _INTERVAL):
        low, high = (score.details[name] for name in _INTERVAL)
        return high - low
    return None if score.ci is None else score.ci[1] - score.ci[0]
