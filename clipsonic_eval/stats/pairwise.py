"""Means of a kernel over pairs of rows, in chunks: no n × n matrix is ever held.

Rows are sorted by clip. Within a set, pairs of rows of one clip are left out (they are not two independent draws); with
one row per clip that is the usual "without the diagonal". Sums are kept per clip, which is all that the jackknife
needs.

Cost: n² d / 2 multiplications within a set of n rows and n m d between two, plus as many evaluations of the kernel;
memory a few times 32 MB in addition to the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from clipsonic_eval.arraytypes import Float64, Int
from clipsonic_eval.stats import chunking
from clipsonic_eval.stats.chunking import chunks

Kernel = Callable[[Float64, Float64], Float64]

_BINS = 4096


@dataclass(frozen=True, slots=True)
class Rows:
    """Embedding vectors sorted by clip.

    Attributes:
        vectors: (n, d) float64.
        clip_of_row: (n,) intp, ascending from 0 to clips − 1; every clip has a row.

    Example:
        >>> rows = Rows(np.eye(3), np.array([0, 0, 1]))
        >>> rows.counts, rows.sum_per_clip(np.array([1.0, 2.0, 4.0]))
        (array([2, 1]), array([3., 4.]))
    """

    vectors: Float64
    clip_of_row: Int

    @property
    def counts(self) -> Int:
        """Number of rows of each clip, (clips,) intp."""
        return np.bincount(self.clip_of_row)

    def sum_per_clip(self, values: Float64) -> Float64:
        """Return the sums of row values over each clip, (n,) -> (clips,) float64."""
        sums: Float64 = np.bincount(self.clip_of_row, weights=values)  # type: ignore[assignment] # weighted: floats
        return sums


@dataclass(frozen=True, slots=True)
class LeaveOneOut:
    """A statistic of one or two sets of clips, and the same without each clip in turn.

    Attributes:
        value: the statistic.
        without_first: (clips of the first set,) float64.
        without_second: (clips of the second set,) float64; (0,) for a statistic of one set.
    """

    value: float
    without_first: Float64
    without_second: Float64


def squared_distances(x: Float64, y: Float64) -> Float64:
    """Return squared Euclidean distances of all pairs, never negative.

    Computed from products, so rounding is 1e-16 of the squared norms: bring both sets near the origin first.

    Args:
        x: (n, d) float64.
        y: (m, d) float64.

    Returns:
        (n, m) float64.

    Example:
        >>> squared_distances(np.array([[0.0, 0.0]]), np.array([[3.0, 4.0], [0.0, 1.0]]))
        array([[25.,  1.]])
    """
    # |x − y|² = |x|² + |y|² − 2 x·y
    result = x @ y.T
    result *= -2
    result += np.einsum("ij,ij->i", x, x)[:, None]
    result += np.einsum("ij,ij->i", y, y)[None, :]
    np.maximum(result, 0, out=result)
    return result


def mean_within(rows: Rows, kernel: Kernel) -> LeaveOneOut:
    """Return the mean of a symmetric kernel over all pairs of rows of different clips, and without each clip.

    Args:
        rows: (n, d), of at least three clips.
        kernel: (a, d), (b, d) -> (a, b).

    Returns:
        The mean, and ``without_first`` (clips,).

    Source: A. Gretton et al., A Kernel Two-Sample Test, JMLR 2012 (equation 3, the sums within one sample).

    Example:
        >>> rows = Rows(np.array([[1.0], [2.0], [3.0]]), np.arange(3))
        >>> found = mean_within(rows, lambda x, y: x @ y.T)  # pairs 1·2, 1·3, 2·3
        >>> round(found.value, 6), found.without_first
        (3.666667, array([6., 3., 2.]))
    """
    x, clip = rows.vectors, rows.clip_of_row
    sums = np.zeros(len(x))
    for part in chunks(len(x), len(x)):
        block = kernel(x[part], x[part.start :])  # pairs with earlier rows were met from the other side
        size = part.stop - part.start
        last = int(np.searchsorted(clip, clip[part.stop - 1], side="right")) - part.start
        own = clip[part, None] == clip[None, part.start : part.start + last]
        block[:, :last][own] = 0.0
        sums[part] += block.sum(axis=1)
        sums[part.stop :] += block[:, size:].sum(axis=0)
    by_clip, count = rows.sum_per_clip(sums), rows.counts
    n = len(x)
    total, pairs = float(by_clip.sum()), n * n - float((count**2).sum())  # Σ k(xᵢ, xⱼ) over clips c(i) ≠ c(j)
    without = (total - 2 * by_clip) / (pairs - 2 * count * (n - count))
    return LeaveOneOut(total / pairs, without, np.empty(0))


def mean_between(rows: Rows, others: Rows, kernel: Kernel) -> LeaveOneOut:
    """Return the mean of a kernel over all pairs of a row of one set and a row of another, and without each clip.

    Args:
        rows: (n, d), of at least two clips.
        others: (m, d), of at least two clips.
        kernel: (a, d), (b, d) -> (a, b).

    Returns:
        The mean, ``without_first`` (clips of rows,) and ``without_second`` (clips of others,).

    Example:
        >>> a, b = Rows(np.array([[1.0], [2.0]]), np.arange(2)), Rows(np.array([[1.0], [3.0]]), np.arange(2))
        >>> found = mean_between(a, b, lambda x, y: x @ y.T)
        >>> found.value, found.without_first, found.without_second
        (3.0, array([4., 2.]), array([4.5, 1.5]))
    """
    x, y = rows.vectors, others.vectors
    sums, other_sums = np.zeros(len(x)), np.zeros(len(y))
    for part in chunks(len(x), len(y)):
        block = kernel(x[part], y)
        sums[part] = block.sum(axis=1)
        other_sums += block.sum(axis=0)
    total = float(sums.sum())
    n, m = len(x), len(y)
    without = (total - rows.sum_per_clip(sums)) / ((n - rows.counts) * m)
    without_other = (total - others.sum_per_clip(other_sums)) / ((m - others.counts) * n)
    return LeaveOneOut(total / (n * m), without, without_other)


def median_distance(x: Float64, *, lower: bool = False) -> float:
    """Return the median Euclidean distance over all pairs i < j, exactly, for any n.

    Distances are counted in bins first and only those of the bin that holds the median are kept, so memory stays
    bounded; n (n − 1) / 2 distances are computed twice where they do not all fit.

    Args:
        x: (n, d) float64, n >= 2.
        lower: for an even number of pairs, return the lower of the two middle distances (as torch.median does) instead
            of their mean.

    Example:
        >>> median_distance(np.array([[0.0], [1.0], [3.0]]))  # of 1, 2 and 3
        2.0
    """
    n = len(x)
    pairs = n * (n - 1) // 2
    centred = x - x.mean(axis=0)
    ranks = [(pairs - 1) // 2, (pairs - 1) // 2 if lower else pairs // 2]
    if pairs <= chunking.CHUNK_VALUES:
        values = np.concatenate([_upper(block) for block in _from_diagonal(centred)])
        below = 0
    else:
        top = 4 * float(np.einsum("ij,ij->i", centred, centred).max()) * (1 + 1e-9)  # no squared distance is larger
        if top == 0:
            return 0.0
        edges = np.linspace(0, top, _BINS + 1)
        histogram = np.zeros(_BINS, dtype=np.int64)
        for block in _from_diagonal(centred):
            histogram += np.histogram(_upper(block), edges)[0]
        ends = np.cumsum(histogram)
        first, last = (int(np.searchsorted(ends, rank, side="right")) for rank in ranks)
        low, high = edges[first], edges[last + 1]
        kept = []
        for block in _from_diagonal(centred):
            inside = _upper(block)
            kept.append(inside[(inside >= low) & (inside < high)])
        values = np.concatenate(kept)
        below = int(ends[first] - histogram[first])
    places = [rank - below for rank in ranks]
    chosen = np.partition(values, places)[places]
    return float(np.sqrt(chosen).mean())


def _from_diagonal(x: Float64) -> Iterator[Float64]:
    for part in chunks(len(x), len(x)):
        yield squared_distances(x[part], x[part.start :])


def _upper(block: Float64) -> Float64:
    """Return the values above the diagonal, (p,), of a block (b, c) whose first column belongs to its first row."""
    return block[np.arange(block.shape[1])[None, :] > np.arange(len(block))[:, None]]
