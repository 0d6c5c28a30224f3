"""Pareto frontier of quality against latency, and how sure it is that a point lies on it.

A point is on the frontier where no other point is at least as good in both costs and better in one; equal points are on
it together. The estimate alone says little, since a point that misses by less than its interval may be on the frontier
in truth. So both axes are resampled: clips for quality, the same for all points, so that what the points share cancels;
processes, and the rounds within them, for latency. The share of resamples in which a point is on the frontier is
reported beside it.

Source: B. Efron and R. J. Tibshirani, An Introduction to the Bootstrap, 1993 (sections 8.3, more than one level of
sampling, and 20.5, the linear approximation).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from clipsonic_eval import seeds
from clipsonic_eval.arraytypes import Bool, Float64
from clipsonic_eval.errors import ShapeError
from clipsonic_eval.stats.bootstrap import DAMPING, require_finite, resample_counts
from clipsonic_eval.stats.influence import linear_deviations


def on_frontier(*costs: Float64) -> Bool:
    """Return which points no other point dominates.

    Args:
        *costs: (k,) or (n_boot, k) float64 each, lower is better; a row is one set of k points.

    Returns:
        (k,) or (n_boot, k) bool.

    Raises:
        ShapeError: shapes differ, or a cost is not finite.

    Example:
        >>> fad, seconds = np.array([3.0, 2.0, 2.5]), np.array([0.1, 0.2, 0.3])
        >>> on_frontier(fad, seconds)  # the third is beaten by the second
        array([ True,  True, False])
    """
    if not costs or any(cost.shape != costs[0].shape for cost in costs):
        raise ShapeError(f"costs of the same points are needed, got shapes {[cost.shape for cost in costs]}")
    for cost in costs:
        require_finite(cost.ravel(), "costs")
    beaten = np.zeros(costs[0].shape, dtype=bool)
    for i in range(costs[0].shape[-1]):
        pairs = [(cost, cost[..., i, None]) for cost in costs]
        no_worse = np.logical_and.reduce([other <= own for other, own in pairs])
        better = np.logical_or.reduce([other < own for other, own in pairs])
        beaten[..., i] = (no_worse & better).any(axis=-1)
    return ~beaten


def membership(*replicates: Float64) -> Float64:
    """Return the share of resamples in which each point is on the frontier.

    Args:
        *replicates: (n_boot, k) float64 of each cost, lower is better.

    Returns:
        (k,) float64 in [0, 1].

    Raises:
        ShapeError: shapes differ, or a cost is not finite.

    Example:
        >>> fad = np.array([[3.0, 2.0], [3.0, 3.1]])
        >>> membership(fad, np.array([[0.1, 0.2], [0.1, 0.2]]))
        array([1. , 0.5])
    """
    share: Float64 = on_frontier(*replicates).mean(axis=0)
    return share


def mean_influence(per_clip: Mapping[str, float]) -> dict[str, float]:
    """Return the influence of each clip on the mean of one value per clip: (xᵢ − x̄) / n.

    Example:
        >>> mean_influence({"a": 1.0, "b": 3.0})
        {'a': -0.5, 'b': 0.5}
    """
    mean = sum(per_clip.values()) / len(per_clip)
    return {key: (value - mean) / len(per_clip) for key, value in per_clip.items()}


def quality_replicates(
    values: Sequence[float],
    influences: Sequence[Mapping[str, float]],
    n_boot: int,
    seed: int,
    *,
    reference: Sequence[Mapping[str, float]] = (),
) -> Float64:
    """Return a metric of all points in the same resamples of the clips, to first order.

    T* = T + Σᵢ (wᵢ − 1) gᵢ + Σⱼ (vⱼ − 1) hⱼ, where w resamples the queries and v the reference, both alike for all
    points. The weights are not damped: in a linear statistic there is no curvature to damp.

    Args:
        values: k values of the metric.
        influences: of the clips of each point, by key; from :func:`mean_influence` for means over clips. A point
            without some clip is not moved by it.
        n_boot: number of resamples.
        seed: of the resamples, which are those of the metrics' intervals.
        reference: influences of the reference's clips, likewise; empty for metrics without one.

    Returns:
        (n_boot, k) float64.

    Raises:
        ShapeError: a value is not finite, a point has no clips, or the numbers of points differ.
    """
    if len(influences) != len(values) or (reference and len(reference) != len(values)):
        raise ShapeError(f"{len(values)} values need as many sets of influences, got {len(influences)}")
    if any(not own for own in influences):
        raise ShapeError("a point has no values or influences of its clips, so it cannot be resampled")
    result: Float64 = np.tile(np.asarray(values, np.float64), (n_boot, 1))
    for sets, purpose in ((influences, "bootstrap-queries"), (reference, "bootstrap-reference")):
        keys = sorted({key for own in sets for key in own})
        if not keys:
            continue
        counts = resample_counts(keys, n_boot, seed, purpose)
        for point, own in enumerate(sets):
            moved = np.array([own.get(key, 0.0) for key in keys])
            result[:, point] += linear_deviations(moved, counts) / DAMPING
    require_finite(result.ravel(), "quality")
    return result


def latency_replicates(processes: Sequence[Float64], n_boot: int, seed: int, purpose: str) -> Float64:
    """Return the median duration in resamples of processes, and of the rounds within each.

    Rounds of one process share its memory layout, its clocks and its neighbours, so they scatter less than two
    processes do; with processes resampled as well, that shows. One process alone can only be resampled by rounds.

    Args:
        processes: durations of the rounds of each process, (rounds,) float64.
        n_boot: number of resamples.
        seed: of the resamples.
        purpose: name of the random stream, another one for each point: points are measured one after the other.

    Returns:
        (n_boot,) float64.

    Raises:
        ShapeError: there is no duration, or one is not finite.

    Example:
        >>> latency_replicates([np.array([2.0, 2.0, 2.0])], 3, seed=0, purpose="latency")
        array([2., 2., 2.])
    """
    if not processes or any(len(rounds) == 0 for rounds in processes):
        raise ShapeError("every process needs at least one round to resample")
    durations = np.concatenate(processes)
    require_finite(durations, "durations")
    rng = seeds.stream(seed, "", purpose)
    drawn = rng.multinomial(len(processes), np.full(len(processes), 1 / len(processes)), size=n_boot)
    counts = [
        rng.multinomial(times * len(rounds), np.full(len(rounds), 1 / len(rounds)))
        for times, rounds in zip(drawn.T, processes, strict=True)
    ]
    order = np.argsort(durations, kind="stable")
    below = np.cumsum(np.concatenate(counts, axis=1)[:, order], axis=1)
    total = below[:, -1]
    # the two middle ones of the drawn durations, which are one if their number is odd
    middle = [durations[order][np.argmax(below > rank[:, None], axis=1)] for rank in ((total - 1) // 2, total // 2)]
    median: Float64 = (middle[0] + middle[1]) / 2
    return median
