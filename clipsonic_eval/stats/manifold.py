"""How two sets of points cover each other, with balls around points that reach to their k-th nearest neighbour.

Precision is the share of a system's rows that lie in some ball of the reference, recall the share of the reference's
rows that lie in some ball of the system, density the mean number of the reference's balls around a system's row, over
k, coverage the share of the reference's balls that hold a row of the system.

Conventions: Euclidean; a row's neighbours are the other rows of its set, rows of its own clip too; balls are closed
(distance <= radius), where a distance that exceeds a radius by rounding alone counts as equal (squared, 1e-12 of the
squares of the radius and of the centre's distance from the reference's mean); a set against itself has precision,
recall and coverage 1.

For the jackknife everything is also given without each clip in turn: its balls vanish, and balls that had one of its
rows among their k neighbours grow to the next ones. That is exact, not an approximation.

Cost: n^2 d for the neighbours and n m d for the distances between, in blocks of 32 MB.

Source: T. Kynkaanniemi et al., Improved Precision and Recall Metric for Assessing Generative Models, NeurIPS 2019;
M. F. Naeem et al., Reliable Fidelity and Diversity Metrics for Generative Models, ICML 2020.
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
SPLITS = 200  # pairs of halves: the standard error is good to 5 % of itself
PART = 250  # clips of a half, where there are more
LEAST = 12  # clips that a half must have


Statistic = Literal["precision", "recall", "density", "coverage"]


@dataclass(frozen=True, slots=True)
class Balls:
    """The k-nearest-neighbour balls of a set.

    Attributes:
        centres: rows.
        k: of the neighbours.
        radii: (n,) float64, squared.
        ball: (s,) intp and
        left_out: (s,) intp: ball ``ball`` has a row of clip ``left_out``, not its own, among its k nearest;
        radii_without: (s,) float64, its squared radius without that clip.
    """

    centres: Rows
    k: int
    radii: Float64
    ball: Int
    left_out: Int
    radii_without: Float64


def nearest_neighbour_balls(centres: Rows, k: int) -> Balls:
    """Find the balls of a set of more than k rows.

    Args:
        centres: n rows, near the origin.
        k: neighbours.
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
    """Return the balls of two sets, measured from the reference's mean."""
    origin = reference.vectors.mean(axis=0)
    near = [Rows(rows.vectors - origin, rows.clip_of_row) for rows in (system, reference)]
    return nearest_neighbour_balls(near[0], k), nearest_neighbour_balls(near[1], k)


def share_within(points: Rows, around: Balls) -> LeaveOneOut:
    """Return the share of points that lie in some ball (precision: points of the system; recall: of the reference)."""
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
    """Return the mean number of balls around a point, over k."""
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
    """Return the share of balls that hold a point."""
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
    """Return deviations whose mean square is the variance of a share, from pairs of random halves, (SPLITS,).

    Two halves A and B of all clips, of the system and of the reference alike, are independent. So (T_A - T_B)^2 / 4 has
    the expectation Var(T_half) / 2, which is Var(T) for any statistic whose variance falls with 1 / n, as that of these
    shares does, however far it is from linear. (The jackknife expects twice the variance and more here: whether a ball
    holds a point hangs on one clip alone only where few others would do.) Of large sets smaller disjoint parts are
    taken, a fraction f of the clips each, times 2 f.

    Args:
        system: sorted per clip.
        reference: sorted per clip.
        k: of the neighbours.
        statistic: which share.
        rng: for the system's clips and for the reference's; two systems of the same clips share their halves.

    Returns:
        None where a half would have too few clips to speak of.

    Source: the random groups method, K. M. Wolter, Introduction to Variance Estimation, 2007, chapter 2.
    """
    clips = [len(rows.counts) for rows in (system, reference)]
    part = max(min(0.5, PART / max(clips)), LEAST / min(clips))
    if part > 0.5:
        return None
    deviations = np.empty(SPLITS)
    for i in range(SPLITS):
        values = []
        sides = [
            _parts(rows, int(part * n), stream) for rows, n, stream in zip((system, reference), clips, rng, strict=True)
        ]
        for x, y in zip(*sides, strict=True):
            values.append(_quick(x, y, k, statistic))
        deviations[i] = (values[0] - values[1]) * np.sqrt(part / 2)
    return deviations


def _parts(rows: Rows, size: int, rng: np.random.Generator) -> tuple[Float64, Float64]:
    """Return the vectors of two disjoint random sets of clips."""
    which = np.zeros(len(rows.counts), dtype=np.int8)
    drawn = rng.permutation(len(which))
    which[drawn[:size]], which[drawn[size : 2 * size]] = 1, 2
    of_row = which[rows.clip_of_row]
    return rows.vectors[of_row == 1], rows.vectors[of_row == 2]


def _quick(system: Float64, reference: Float64, k: int, statistic: Statistic) -> float:
    """Return a share of sets small enough for one matrix of distances."""
    centres, points = (system, reference) if statistic == "recall" else (reference, system)
    own = squared_distances(centres, centres)
    np.fill_diagonal(own, np.inf)
    inside = squared_distances(centres, points) <= np.partition(own, k - 1, axis=1)[:, k - 1, None]
    if statistic == "density":
        return float(inside.sum()) / (k * len(points))
    return float(inside.any(axis=1 if statistic == "coverage" else 0).mean())


def _distances(points: Rows, around: Balls) -> Iterator[tuple[slice, Float64]]:
    """Yield squared distances (centres, some points)."""
    for part in chunks(len(points.vectors), len(around.radii)):
        yield part, squared_distances(around.centres.vectors, points.vectors[part])


def _without_points(values: Float64, points: Rows) -> Float64:
    means: Float64 = (values.sum() - points.sum_per_clip(values)) / (len(values) - points.counts)
    return means
