"""Precision, recall, density and coverage: estimates of two manifolds from k-nearest-neighbour balls.

The manifold of a set is estimated by the balls around its rows that reach to their k-th nearest neighbours.

- precision: share of the system's rows that lie in some ball of the reference;
- recall: share of the reference's rows that lie in some ball of the system;
- density: mean number of the reference's balls around a row of the system, over k;
- coverage: share of the reference's balls that hold a row of the system.

Conventions: Euclidean; a row's neighbours are the other rows of its set, those of its own clip included; balls are
closed (distance <= radius), where a distance that exceeds a radius by rounding alone counts as equal (squared, 1e-12 of
the squares of the radius and of the centre's distance from the reference's mean). A set against itself has precision,
recall and coverage 1.

For the jackknife every estimate is also given without each clip in turn: its balls vanish, and balls that had one of
its rows among their k neighbours grow to the next ones. That is exact, not an approximation.

Cost: n² d for the neighbours and n m d for the distances between, in chunks of 32 MB.

Source: T. Kynkäänniemi et al., Improved Precision and Recall Metric for Assessing Generative Models, NeurIPS 2019
(equations 1 and 2); M. F. Naeem et al., Reliable Fidelity and Diversity Metrics for Generative Models, ICML 2020.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from clipsonic_eval.arraytypes import Float64, Int
from clipsonic_eval.stats.chunking import chunks
from clipsonic_eval.stats.pairwise import LeaveOneOut, Rows, squared_distances

Streams = tuple[np.random.Generator, np.random.Generator]

_TIE = 1e-12
SPLITS = 200  # pairs of halves: the standard error is accurate to 5 %
MAX_HALF = 250  # clips of a half, where there are more
MIN_HALF = 12  # clips that a half must have


Statistic = Literal["precision", "recall", "density", "coverage"]


@dataclass(frozen=True, slots=True)
class Balls:
    """The k-nearest-neighbour balls of a set, and how they grow where a clip is left out.

    Attributes:
        centres: (n, d) rows.
        k: number of neighbours.
        radii: (n,) float64, squared.
        ball: (s,) intp, index of a ball that has a row of another clip among its k nearest neighbours,
        left_out: (s,) intp, that clip, and
        radii_without: (s,) float64, the ball's squared radius without that clip.
    """

    centres: Rows
    k: int
    radii: Float64
    ball: Int
    left_out: Int
    radii_without: Float64


def nearest_neighbour_balls(centres: Rows, k: int) -> Balls:
    """Return the balls around the rows of a set that reach to their k-th nearest neighbours.

    Args:
        centres: (n, d) rows near the origin, n > k.
        k: number of neighbours.

    Example:
        >>> nearest_neighbour_balls(Rows(np.array([[0.0], [1.0], [3.0]]), np.arange(3)), k=1).radii.round(6)
        array([1., 1., 4.])
    """
    x, clip = centres.vectors, centres.clip_of_row
    n = len(x)
    near = min(n - 1, k + int(centres.counts.max()))  # so that k are left when a clip goes
    radii = np.empty(n)
    changed, clips, changed_radii = [], [], []
    for part in chunks(n, n):
        d2 = squared_distances(x[part], x)
        here = np.arange(part.start, part.stop)
        d2[here - part.start, here] = np.inf
        order = np.argpartition(d2, near - 1, axis=1)[:, :near]
        found = np.take_along_axis(d2, order, axis=1)
        sort = np.argsort(found, axis=1, kind="stable")
        found, whose = np.take_along_axis(found, sort, axis=1), clip[np.take_along_axis(order, sort, axis=1)]
        radii[part] = found[:, k - 1]
        for slot in range(k):
            leaving = whose[:, slot]
            first = ~(whose[:, :slot] == leaving[:, None]).any(axis=1) & (leaving != clip[part])
            others = np.cumsum(whose != leaving[:, None], axis=1)
            place = np.minimum((others < k).sum(axis=1), near - 1)  # of the k-th neighbour that stays
            radius = found[np.arange(len(found)), place]
            changed.append(here[first])
            clips.append(leaving[first])
            changed_radii.append(radius[first])
    ball, radii_without = np.concatenate(changed), np.concatenate(changed_radii)
    norms = np.einsum("ij,ij->i", x, x)
    radii += _TIE * (norms + radii)
    radii_without += _TIE * (norms[ball] + radii_without)
    return Balls(centres, k, radii, ball, np.concatenate(clips), radii_without)


def balls_of_both(system: Rows, reference: Rows, k: int) -> tuple[Balls, Balls]:
    """Return the balls of two sets, measured from the reference's mean.

    Args:
        system: (n, d) rows.
        reference: (m, d) rows.
        k: number of neighbours.

    Example:
        >>> rows = Rows(np.array([[0.0], [1.0], [3.0]]), np.arange(3))
        >>> system, reference = balls_of_both(rows, rows, k=1)
        >>> share_within(system.centres, reference).value, coverage(system.centres, reference).value
        (1.0, 1.0)
    """
    origin = reference.vectors.mean(axis=0)
    near = [Rows(rows.vectors - origin, rows.clip_of_row) for rows in (system, reference)]
    return nearest_neighbour_balls(near[0], k), nearest_neighbour_balls(near[1], k)


def share_within(points: Rows, around: Balls) -> LeaveOneOut:
    """Return the share of points that lie in some ball: precision for points of the system, recall of the reference.

    Args:
        points: (n, d) rows.
        around: balls of the other set, measured from the same origin.

    Returns:
        The share, ``without_first`` (clips of the points,), ``without_second`` (clips of the balls,).

    Source: T. Kynkäänniemi et al., 2019 (equations 1 and 2).

    Example:
        >>> balls = nearest_neighbour_balls(Rows(np.array([[0.0], [1.0], [3.0]]), np.arange(3)), k=1)
        >>> share_within(Rows(np.array([[0.5], [9.0]]), np.arange(2)), balls).value
        0.5
    """
    clips, n = len(around.centres.counts), len(points.vectors)
    covered = np.empty(n, dtype=bool)
    remaining = np.zeros(clips)
    starts = np.searchsorted(around.centres.clip_of_row, np.arange(clips))
    for part, d2 in _distances(points, around):
        inside = d2 <= around.radii[:, None]
        by_clip = np.logical_or.reduceat(inside, starts, axis=0)
        times = by_clip.sum(axis=0)
        covered[part] = times > 0
        without = times - by_clip > 0
        weak = np.flatnonzero(times <= 1)  # the others are covered whichever clip goes
        for some in chunks(len(around.ball), len(weak)):
            event, column = np.nonzero(d2[np.ix_(around.ball[some], weak)] <= around.radii_without[some, None])
            without[around.left_out[some][event], weak[column]] = True
        remaining += without.sum(axis=1)
    values = covered.astype(np.float64)
    return LeaveOneOut(float(values.mean()), _without_points(values, points), remaining / n)


def density(points: Rows, around: Balls) -> LeaveOneOut:
    """Return the mean number of balls around a point, over k; arguments and result as in :func:`share_within`.

    Source: M. F. Naeem et al., 2020.

    Example:
        >>> balls = nearest_neighbour_balls(Rows(np.array([[0.0], [1.0], [3.0]]), np.arange(3)), k=1)
        >>> density(Rows(np.array([[0.5], [9.0]]), np.arange(2)), balls).value  # in two balls, and in none
        1.0
    """
    n, k = len(points.vectors), around.k
    times = np.empty(n)
    held, held_grown = np.zeros(len(around.radii)), np.zeros(len(around.ball))
    for part, d2 in _distances(points, around):
        inside = d2 <= around.radii[:, None]
        times[part] = inside.sum(axis=0)
        held += inside.sum(axis=1)
        for some in chunks(len(around.ball), d2.shape[1]):
            held_grown[some] += (d2[around.ball[some]] <= around.radii_without[some, None]).sum(axis=1)
    remaining = held.sum() - around.centres.sum_per_clip(held)
    np.add.at(remaining, around.left_out, held_grown - held[around.ball])
    return LeaveOneOut(float(times.mean()) / k, _without_points(times, points) / k, remaining / (n * k))


def coverage(points: Rows, around: Balls) -> LeaveOneOut:
    """Return the share of balls that hold a point; arguments and result as in :func:`share_within`.

    Source: M. F. Naeem et al., 2020.

    Example:
        >>> balls = nearest_neighbour_balls(Rows(np.array([[0.0], [1.0], [3.0]]), np.arange(3)), k=1)
        >>> round(coverage(Rows(np.array([[0.5], [9.0]]), np.arange(2)), balls).value, 6)  # of the balls around 0 and 1
        0.666667
    """
    centres = around.centres
    clips = len(points.counts)
    starts = np.searchsorted(points.clip_of_row, np.arange(clips))
    nearest = np.full(len(around.radii), np.inf)
    held_by, sole = np.zeros(len(nearest), dtype=np.intp), np.zeros(len(nearest), dtype=np.intp)
    for part in chunks(len(nearest), len(points.vectors)):
        d2 = squared_distances(centres.vectors[part], points.vectors)
        nearest[part] = d2.min(axis=1)
        by_clip = np.logical_or.reduceat(d2 <= around.radii[part, None], starts, axis=1)
        held_by[part] = by_clip.sum(axis=1)
        sole[part] = by_clip.argmax(axis=1)
    values = (held_by > 0).astype(np.float64)
    lost = np.bincount(sole[held_by == 1], minlength=clips)
    remaining = values.sum() - centres.sum_per_clip(values)
    gained = (nearest[around.ball] <= around.radii_without) - values[around.ball]
    np.add.at(remaining, around.left_out, gained)
    return LeaveOneOut(
        float(values.mean()),
        (values.sum() - lost) / len(values),
        remaining / (len(values) - centres.counts),
    )


def half_deviations(system: Rows, reference: Rows, k: int, statistic: Statistic, rng: Streams) -> Float64 | None:
    """Return deviations whose mean square estimates the variance of a share, from pairs of random halves.

    Two halves A and B of all clips, of the system and of the reference alike, are independent. So (T_A − T_B)² / 4 has
    the expectation Var(T_half) / 2, which is Var(T) for any statistic whose variance falls with 1 / n, as that of these
    shares does, however far it is from linear. (The jackknife estimates twice the variance or more here: whether a ball
    holds a point depends on one clip alone only where few others would do.) From large sets, smaller disjoint parts are
    drawn, a fraction f of the clips each, and scaled by 2 f.

    Args:
        system: (n, d) rows sorted by clip.
        reference: (m, d) rows sorted by clip.
        k: number of neighbours.
        statistic: which share.
        rng: for the system's clips and for the reference's; two systems of the same clips share their halves.

    Returns:
        (SPLITS,) float64; None where a half would have too few clips.

    Source: the random groups method, K. M. Wolter, Introduction to Variance Estimation, 2007, chapter 2.
    """
    clips = [len(rows.counts) for rows in (system, reference)]
    part = max(min(0.5, MAX_HALF / max(clips)), MIN_HALF / min(clips))
    if part > 0.5:
        return None
    deviations = np.empty(SPLITS)
    for i in range(SPLITS):
        halves = [
            _parts(rows, int(part * n), stream) for rows, n, stream in zip((system, reference), clips, rng, strict=True)
        ]
        first, second = (_share(x, y, k, statistic) for x, y in zip(*halves, strict=True))
        deviations[i] = (first - second) * np.sqrt(part / 2)  # f = 1/2: (T_A − T_B) / 2
    return deviations


def _parts(rows: Rows, size: int, rng: np.random.Generator) -> tuple[Float64, Float64]:
    """Return the vectors of two disjoint random sets of ``size`` clips, (a, d) and (b, d)."""
    which = np.zeros(len(rows.counts), dtype=np.int8)
    drawn = rng.permutation(len(which))
    which[drawn[:size]], which[drawn[size : 2 * size]] = 1, 2
    of_row = which[rows.clip_of_row]
    return rows.vectors[of_row == 1], rows.vectors[of_row == 2]


def _share(system: Float64, reference: Float64, k: int, statistic: Statistic) -> float:
    """Return a share of sets (n, d) and (m, d) small enough for one matrix of distances."""
    centres, points = (system, reference) if statistic == "recall" else (reference, system)
    own = squared_distances(centres, centres)
    np.fill_diagonal(own, np.inf)
    inside = squared_distances(centres, points) <= np.partition(own, k - 1, axis=1)[:, k - 1, None]
    if statistic == "density":
        return float(inside.sum()) / (k * len(points))
    return float(inside.any(axis=1 if statistic == "coverage" else 0).mean())


def _distances(points: Rows, around: Balls) -> Iterator[tuple[slice, Float64]]:
    """Yield slices of the points with their squared distances from all centres, (centres, points of the slice)."""
    for part in chunks(len(points.vectors), len(around.radii)):
        yield part, squared_distances(around.centres.vectors, points.vectors[part])


def _without_points(values: Float64, points: Rows) -> Float64:
    means: Float64 = (values.sum() - points.sum_per_clip(values)) / (len(values) - points.counts)
    return means
