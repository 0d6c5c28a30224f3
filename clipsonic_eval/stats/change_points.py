"""Change points of a series: a piecewise-constant fit whose noise is estimated along with its levels.

The fit with K steps is the one of least (weighted) squares, found exactly by dynamic programming. K minimises
n log RSS_K + β(n) K, the likelihood of Gaussian noise of unknown spread with a penalty per step. The penalty is
tabulated by simulation so that a series without a change has any step in at most 5 % of cases.

Noise is what differs from point to point: training seeds, processes, runs. What all points share, such as the choice of
the test clips, is no noise here and must not be handed in. Noise is taken to be independent from point to point: where
it drifts, as on a machine that warms up, there are false steps (reports/gate).

- Few points (under 10) cannot tell an outlier from a step; the fit takes them as they are, with one step at most.
- From 10 points on, values further than 3 standard deviations (by the median difference of neighbours) from the running
  median of five are moved to that distance, and the series must also move by the same statistic on normal scores of
  its ranks. That one does not depend on the distribution of the noise, so neither heavy tails nor ties raise alarms.
- Points of the same weights have no noise: any difference beyond rounding is a step.

A step has at least three points after it, so the newest two points are too new to tell. A step up and back within so
few points is seen only among many others. The cost is O(n²) at a bounded number of steps.

Source: I. E. Auger and C. E. Lawrence, Algorithms for the optimal identification of segment neighborhoods, 1989 (the
dynamic programme); R. Killick et al., Optimal detection of changepoints with a linear computational cost, 2012 (the
penalised form); B. L. van der Waerden, 1952 (normal scores).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from clipsonic_eval import seeds
from clipsonic_eval.arraytypes import Float64
from clipsonic_eval.errors import ShapeError

TOO_NEW: Final = 2  # newest points, of which nothing can be told yet
LEAST: Final = 5  # points of a series in which steps are looked for
LONGEST: Final = 200  # newest points that are looked at: as many as were simulated
ROUNDING: Final = 1e-6  # relative difference up to which two values of the same weights are equal
ROBUST: Final = 10  # points from which on outliers can be told apart
_MOST_STEPS = 20
_CLIP = 3.0  # standard deviations
# quantiles of the largest n log(RSS_0 / RSS_K) / K of normal noise: on values alone 95.5 %, from 10 points on 95 % on
# values and on normal scores of their ranks. Made by: clipsonic-eval calibrate change-points --penalties
PENALTIES: Final[dict[int, tuple[float, float]]] = {
    5: (7.67, 0.0),
    6: (8.55, 0.0),
    7: (8.85, 0.0),
    8: (8.78, 0.0),
    9: (8.97, 0.0),
    10: (8.49, 9.02),
    12: (8.73, 8.35),
    15: (8.85, 8.56),
    20: (9.02, 8.74),
    30: (9.19, 8.93),
    50: (9.55, 9.32),
    100: (9.98, 9.78),
    200: (10.56, 10.35),
}


@dataclass(frozen=True, slots=True)
class ChangePoint:
    """A change of level.

    Attributes:
        index: of the first point at the new level.
        before: level up to the point before, the weighted mean of its points.
        after: the new level.
        exact: the same weights gave another number: no noise is involved.
    """

    index: int
    before: float
    after: float
    exact: bool = False

    @property
    def size(self) -> float:
        """New minus old level."""
        return self.after - self.before


@dataclass(frozen=True, slots=True)
class StepFit:
    """A series as levels with steps between them.

    Attributes:
        steps: in order.
        noise: estimated standard deviation of a point of weight 1 about its level; None where too few points were
            looked at.
        n: points that count: those of the same weights count once.
    """

    steps: tuple[ChangePoint, ...]
    noise: float | None
    n: int


def find_change_points(
    values: ArrayLike, *, weights: ArrayLike | None = None, same: Sequence[str] = (), least_noise: float = 0.0
) -> StepFit:
    """Find the steps of a series, at most 5 % of series without a change having any.

    Args:
        values: (n,) in order; of more than :data:`LONGEST` the newest are looked at.
        weights: (n,) inverse relative variances, e.g. the number of training seeds behind each point; None: equal.
        same: for each point what made it (a hash of weights and settings), "" if unknown. Neighbours that share it
            differ by no noise. Empty: all unknown.
        least_noise: standard deviation that noise has at least, for a point of weight 1: the spread over seeds, or of
            rounding where values are multiples of a quantum.

    Raises:
        ShapeError: values are not finite or not of shape (n,), weights are not positive, or the lengths differ.

    Example:
        >>> fit = find_change_points([5.1, 5.0, 4.9, 5.0, 5.1, 5.0, 7.1, 7.0, 6.9, 7.0])
        >>> [(found.index, round(found.size, 2)) for found in fit.steps]
        [(6, 1.98)]
    """
    x, w, labels = _checked(values, weights, same)
    first = len(x) - min(len(x), LONGEST)
    x, w, labels = x[first:], w[first:], labels[first:]
    moved = np.zeros(len(x), dtype=bool)  # same weights, another number
    again = np.array([bool(b) and a == b for a, b in pairwise(labels)], dtype=bool)
    largest = np.maximum(np.abs(x[:-1]), np.abs(x[1:]))
    moved[1:] = again & (np.abs(np.diff(x)) > ROUNDING * largest)
    level = x - np.cumsum(np.where(moved, np.diff(x, prepend=x[:1]), 0.0))  # without the exact steps
    starts = np.flatnonzero(~np.concatenate([[False], again]))  # the first point of each run of the same weights
    cuts, noise = _cuts(level[starts], w[starts], least_noise)
    return StepFit(_steps(x, w, moved, starts[cuts], first), noise, len(starts))


def _checked(
    values: ArrayLike, weights: ArrayLike | None, same: Sequence[str]
) -> tuple[Float64, Float64, tuple[str, ...]]:
    x = np.asarray(values, dtype=np.float64)
    w = np.ones_like(x) if weights is None else np.asarray(weights, dtype=np.float64)
    labels = tuple(same) or ("",) * len(x)
    if x.ndim != 1 or w.shape != x.shape or len(labels) != len(x) or len(x) == 0:
        shapes = f"{x.shape}, {w.shape} and {len(labels)}"
        raise ShapeError(f"values, weights and labels of a series are of one length, at least 1, got {shapes}")
    if not np.isfinite(x).all() or not (np.isfinite(w) & (w > 0)).all():
        raise ShapeError("values of a series must be finite and its weights positive; leave the other points out")
    return x, w, labels


def _steps(
    x: Float64, w: Float64, moved: NDArray[np.bool_], cuts: NDArray[np.int64], first: int
) -> tuple[ChangePoint, ...]:
    """Return the steps between levels, which are weighted means between two neighbouring steps."""
    places = sorted({*np.flatnonzero(moved).tolist(), *cuts.tolist()})
    bounds = [0, *places, len(x)]
    levels = [float(np.average(x[a:b], weights=w[a:b])) for a, b in pairwise(bounds)]
    return tuple(
        ChangePoint(first + place, levels[i], levels[i + 1], exact=bool(moved[place])) for i, place in enumerate(places)
    )


def _cuts(x: Float64, w: Float64, least_noise: float) -> tuple[NDArray[np.int64], float | None]:
    """Return the index of the first point after each step, (K,) int64, and the noise."""
    n, largest = len(x), max(least_noise, float(np.abs(x).max()))
    if n < LEAST or largest == 0:
        return np.empty(0, dtype=np.int64), None
    exponent = int(np.frexp(largest)[1])  # values of the size of 1, without rounding: squares of small ones would be 0
    x, least = np.ldexp(x, -exponent), float(np.ldexp(max(least_noise, ROUNDING * largest), -exponent))
    on_values, on_ranks = penalties(n)
    cost = costs(without_outliers(x[None]), w[None])
    layers, rss = fits(cost)
    best = np.maximum(rss[0], n * least**2)
    chosen = int(np.argmin(n * np.log(best) + on_values * np.arange(len(best))))
    if n >= ROBUST and float(largest_gain(normal_scores(x[None]))[0]) <= on_ranks:
        chosen = 0
    noise = float(np.ldexp(max(least, float(np.sqrt(rss[0, chosen] / (n - chosen - 1)))), exponent))
    cuts, end, reach = [], n, n - TOO_NEW
    for k in range(chosen, 0, -1):
        end = reach = int(np.argmin(layers[k - 1][0, :reach] + cost[0, :reach, end]))
        cuts.append(end)
    return np.array(cuts[::-1], dtype=np.int64), noise


def penalties(n: int) -> tuple[float, float]:
    """Return the penalties per step on values and on normal scores of ranks for a series of n points.

    Interpolated in log n between the numbers of points that were simulated, and extrapolated above the largest.
    """
    known = [m for m in PENALTIES if (m >= ROBUST) == (n >= ROBUST)]
    right = min(max(1, int(np.searchsorted(known, n))), len(known) - 1)
    low, high = known[right - 1], known[right]
    share = np.log(n / low) / np.log(high / low)
    a, b = (a + share * (b - a) for a, b in zip(PENALTIES[low], PENALTIES[high], strict=True))
    return float(a), float(b)


def without_outliers(values: Float64) -> Float64:
    """Return series whose values lie within 3 standard deviations of the running median of five.

    Args:
        values: (b, n), a series per row; returned as it is where n is less than 10.
    """
    n = values.shape[1]
    if n < ROBUST:
        return values
    medians = np.median(np.lib.stride_tricks.sliding_window_view(values, 5, axis=1), axis=-1)  # (b, n - 4)
    near = medians[:, np.clip(np.arange(n) - 2, 0, n - 5)]
    # median |x_i − x_{i−1}| of normal noise: 0.6745 √2 σ
    spread = np.median(np.abs(np.diff(values, axis=1)), axis=1, keepdims=True) / (0.6745 * np.sqrt(2))
    clipped: Float64 = near + np.clip(values - near, -_CLIP * spread, _CLIP * spread)
    return clipped


def normal_scores(values: Float64) -> Float64:
    """Return the normal score of each value's rank within its series, (b, n) in and out; ties are broken at random."""
    n = values.shape[1]
    tie = seeds.stream(0, str(n), "change-points-ties").permutation(n)
    ranks = np.argsort(np.lexsort((np.broadcast_to(tie, values.shape), values), axis=1), axis=1)
    scores: Float64 = ndtri((ranks + 0.5) / n)  # Φ⁻¹((rank − ½) / n)
    return scores


def largest_gain(values: Float64, weights: Float64 | None = None) -> Float64:
    """Return the largest n log(RSS_0 / RSS_K) / K over K, the penalty per step below which a series has any step.

    Args:
        values: (b, n), a series per row.
        weights: (b, n); None: equal.

    Returns:
        (b,).
    """
    _, rss = fits(costs(values, np.ones_like(values) if weights is None else weights))
    n, steps = values.shape[1], np.arange(1, rss.shape[1])
    with np.errstate(divide="ignore", invalid="ignore"):  # levels that fit to the last digit
        gains = n * np.log(rss[:, :1] / rss[:, 1:]) / steps
    return np.asarray(np.where(rss[:, 0] > 0, gains.max(axis=1), 0.0))


def have_steps(values: Float64) -> NDArray[np.bool_]:
    """Return whether :func:`find_change_points` finds any step in each of many series, for simulations.

    Args:
        values: (b, n) independent noise without ties of exactly equal values, a series per row.

    Returns:
        (b,) bool.
    """
    on_values, on_ranks = penalties(values.shape[1])
    found: NDArray[np.bool_] = largest_gain(without_outliers(values)) > on_values
    if values.shape[1] >= ROBUST:
        found &= largest_gain(normal_scores(values)) > on_ranks
    return found


def costs(values: Float64, weights: Float64) -> Float64:
    """Return the weighted squares about the mean of every segment.

    Args:
        values: (b, n), a series per row.
        weights: (b, n).

    Returns:
        (b, n + 1, n + 1): entry (i, j) is of the points i to j - 1; infinite where they are too few for a segment.
    """
    b, n = values.shape
    centred = values - np.median(values, axis=1, keepdims=True)
    shortest = 3 if n >= ROBUST else 2

    def between(x: Float64) -> Float64:  # Σ_{i ≤ k < j} x_k for all i, j
        sums = np.concatenate([np.zeros((b, 1)), np.cumsum(x, axis=1)], axis=1)
        return np.asarray(sums[:, None, :] - sums[:, :, None])

    total = between(weights)
    first, second = between(weights * centred), between(weights * centred**2)
    ends = np.arange(n + 1)
    allowed = ends - ends[:, None] >= shortest
    squares = second - first**2 / np.where(allowed, total, 1.0)  # Σ w x² − (Σ w x)² / Σ w
    return np.asarray(np.where(allowed, np.maximum(squares, 0.0), np.inf))


def fits(cost: Float64) -> tuple[list[Float64], Float64]:
    """Return the best fits with 0, 1, … steps.

    Args:
        cost: (b, n + 1, n + 1) from :func:`costs`.

    Returns:
        A layer (b, n + 1) per number of steps but the last: least squares of the first j points, by j; and least
        squares of all points, (b, number of steps + 1), where the last segment is longer than the newest points.
    """
    n = cost.shape[1] - 1
    most, reach = min(n // LEAST, _MOST_STEPS), n - TOO_NEW
    layers = [cost[:, 0, :]]
    for _ in range(most - 1):
        layers.append((layers[-1][:, :, None] + cost).min(axis=1))
    last = [(layer[:, :reach] + cost[:, :reach, n]).min(axis=1) for layer in layers]
    return layers, np.stack([cost[:, 0, n], *last], axis=1)
