"""Do listeners agree? Krippendorff's alpha, and the intraclass correlation.

Both are 1 where all listeners give an item the same answer. Alpha is 0 where answers are as far apart within an item as
between items, and may be negative; it allows for missing answers and for any scale.

Source: K. Krippendorff, Computing Krippendorff's alpha-reliability, 2011; P. E. Shrout and J. L. Fleiss, Intraclass
correlations: uses in assessing rater reliability, 1979 (ICC(2, 1) and ICC(2, k)).
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from clipsonic_eval.arraytypes import Float64, IntArray
from clipsonic_eval.errors import ShapeError
from clipsonic_eval.stats.bootstrap import Interval, require_finite, resample_counts
from clipsonic_eval.stats.crossed import VarianceComponents

Scale = Literal["nominal", "ordinal", "interval"]


def krippendorff_alpha(
    values: Float64, items: IntArray, scale: Scale, *, n_boot: int = 1000, seed: int = 0, level: float = 0.95
) -> tuple[float, Interval]:
    """Return Krippendorff's alpha and its interval by resamples of the items.

    Args:
        values: (n,) float64, the answers.
        items: (n,) int, from 0; an item with one answer tells nothing and is left out.
        scale: how far two answers are apart: equal or not, by ranks, or by their difference.
        n_boot: resamples of the items.
        seed: of the resamples.
        level: of confidence.

    Returns:
        (alpha, (low, high)).

    Raises:
        ShapeError: no item has two answers, or all answers are the same.

    Example:
        >>> alpha, _ = krippendorff_alpha(np.array([1.0, 1, 2, 2, 3, 3, 4, 5]), np.repeat(np.arange(4), 2), "interval")
        >>> round(alpha, 3)
        0.937
    """
    require_finite(values, "answers")
    classes, chosen = np.unique(values, return_inverse=True)
    counts = np.zeros((int(items.max()) + 1, len(classes)))
    np.add.at(counts, (items, chosen), 1.0)
    counts = counts[counts.sum(axis=1) >= 2]
    if not len(counts) or len(np.flatnonzero(counts.sum(axis=0))) < 2:
        raise ShapeError("agreement needs items with several answers, and answers that are not all the same")
    alpha = _alpha(counts[None], np.ones((1, len(counts))), classes, scale)[0]
    keys = [f"{i:08d}" for i in range(len(counts))]
    drawn = _alpha(counts[None], resample_counts(keys, n_boot, seed, "agreement").astype(np.float64), classes, scale)
    low, high = np.nanquantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return float(alpha), (float(low), float(high))


def _alpha(counts: Float64, weights: Float64, classes: Float64, scale: Scale) -> Float64:
    """Return alpha in each resample, (b,) float64.

    Args:
        counts: (1, items, classes) answers.
        weights: (b, items) how often each item counts.
        classes: (classes,) their values.
        scale: of the answers.
    """
    own = counts[0]
    size = own.sum(axis=1)
    totals = weights @ own  # n_c
    found = np.empty(len(weights))
    for i, total in enumerate(totals):
        distance = _distances(total, classes, scale)
        # observed: Σ over items of the mean distance of pairs within, times the item's answers
        within = np.einsum("uc,cd,ud->u", own, distance, own) / (size - 1)
        between = total @ distance @ total / (total.sum() - 1)
        found[i] = 1 - (weights[i] @ within) / between if between > 0 else np.nan  # α = 1 − D_o / D_e
    return found


def _distances(totals: Float64, classes: Float64, scale: Scale) -> Float64:
    """Return squared distances of classes, (classes, classes) float64."""
    if scale == "nominal":
        return 1.0 - np.eye(len(classes))
    places = classes if scale == "interval" else np.cumsum(totals) - totals / 2  # mid-ranks
    return np.asarray(np.subtract.outer(places, places) ** 2, np.float64)


def intraclass_correlation(components: VarianceComponents, listeners: float) -> tuple[float, float]:
    """Return the intraclass correlation of one listener, and of the mean of several.

    Args:
        components: of the answers; the items are what is told apart.
        listeners: number of listeners behind a mean.

    Example:
        >>> single, mean = intraclass_correlation(VarianceComponents(0.0, 1.0, 1.0), 3)
        >>> single, mean
        (0.5, 0.75)
    """
    noise = components.listener + components.rest
    total = components.item + noise
    if total == 0:
        raise ShapeError("all answers are the same, so there is no correlation")
    # ICC(2, 1) = σ²ᵢ / (σ²ᵢ + σ²ₗ + σ²),  ICC(2, k) = σ²ᵢ / (σ²ᵢ + (σ²ₗ + σ²) / k)
    return components.item / total, components.item / (components.item + noise / listeners)
