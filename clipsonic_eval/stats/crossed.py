"""Answers of listeners to items: variances and intervals where both are samples, and every answer shares both.

An answer varies with the listener, with the item, and by itself. A mean over n answers is therefore far less certain
than the spread of the answers over √n: another test would have other listeners *and* other items.

Everything here is linear in *influences*: the first-order effect of each answer on a number, which sum to about zero.
Of a mean that is (y − ȳ) / n. Three sums of squares, over listeners, over items and over their cells, make up its
variance (:func:`two_way_variance`); the crossed bootstrap draws listeners and items and gives the distribution a shape
(:func:`crossed_bootstrap_interval`). Differences of systems are taken after the levels of listeners and items are
removed (:func:`adjusted_differences`), which is what pairing is where nobody hears one query twice.

Source: A. C. Cameron, J. B. Gelbach and D. L. Miller, Robust inference with multiway clustering, 2011 (the variance);
A. B. Owen, The pigeonhole bootstrap, 2007 (the bootstrap, and that it counts the residual three times); F. E.
Satterthwaite, An approximate distribution of estimates of variance components, 1946; C. R. Henderson, Estimation of
variance and covariance components, 1953 (method 1).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import special

from clipsonic_eval import seeds
from clipsonic_eval.arraytypes import Float64, IntArray
from clipsonic_eval.errors import ShapeError
from clipsonic_eval.stats.bootstrap import Interval, require_finite
from clipsonic_eval.stats.chunking import chunks


class VarianceComponents(NamedTuple):
    """Variances of an answer: between listeners, between items, and what is left."""

    listener: float
    item: float
    rest: float


def numbered(names: Sequence[object]) -> IntArray:
    """Return numbers from 0 in place of names, (n,) int.

    Example:
        >>> numbered(["b", "a", "b"])
        array([1, 0, 1])
    """
    return np.unique(np.asarray(names, dtype=str), return_inverse=True)[1]


def two_way_variance(influence: Float64, listeners: IntArray, items: IntArray, fitted: int = 1) -> tuple[float, float]:
    """Return the variance of a number and its degrees of freedom, where listeners and items are both samples.

    Args:
        influence: (n,) float64, of each answer on the number.
        listeners: (n,) int, who gave each answer, from 0.
        items: (n,) int, what it was given to, from 0.
        fitted: number of parameters that the residuals in ``influence`` were freed of.

    Returns:
        (variance, degrees of freedom by Satterthwaite's rule).

    Raises:
        ShapeError: fewer than two listeners or items, or an influence is not finite.

    Example:
        >>> y, who, what = np.array([1.0, 2.0, 3.0, 4.0]), np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
        >>> variance, df = two_way_variance((y - y.mean()) / 4, who, what)
        >>> round(variance, 4), round(df, 2)
        (1.0, 1.56)
    """
    require_finite(influence, "influences of answers")
    n, n_listeners, n_items = len(influence), _count(listeners), _count(items)
    if min(n_listeners, n_items) < 2:
        raise ShapeError(
            f"an interval over listeners and items needs two of each, got {n_listeners} listeners and {n_items} items"
        )
    cells = np.unique(listeners * (int(items.max()) + 1) + items, return_inverse=True)[1]
    n_cells = _count(cells)
    by_listener = _squares(influence, listeners) * n_listeners / (n_listeners - 1)
    by_item = _squares(influence, items) * n_items / (n_items - 1)
    by_cell = _squares(influence, cells) * n_cells / (n_cells - 1)
    # V = V_cell + (V_listener − V_cell)₊ + (V_item − V_cell)₊
    of_listeners, of_items = max(by_listener - by_cell, 0.0), max(by_item - by_cell, 0.0)
    variance = by_cell + of_listeners + of_items
    if variance == 0:
        return 0.0, float(n - 1)
    noise = (
        of_listeners * by_listener / (n_listeners - 1)
        + of_items * by_item / (n_items - 1)
        + by_cell**2 / max(1, n_cells - fitted)
    )
    return float(variance), float(variance**2 / noise)


def two_way_interval(
    value: float, influence: Float64, listeners: IntArray, items: IntArray, *, fitted: int = 1, level: float = 0.95
) -> Interval:
    """Return value ± t · √variance; arguments as in :func:`two_way_variance`, influences (n,) float64."""
    variance, df = two_way_variance(influence, listeners, items, fitted)
    half = float(special.stdtrit(df, (1 + level) / 2)) * np.sqrt(variance)
    return float(value - half), float(value + half)


def two_way_p(value: float, influence: Float64, listeners: IntArray, items: IntArray, fitted: int = 1) -> float:
    """Return the two-sided p-value of a number against zero; arguments as in :func:`two_way_variance`, (n,) float64."""
    variance, df = two_way_variance(influence, listeners, items, fitted)
    if variance == 0:
        return 1.0 if value == 0 else 0.0
    return float(2 * special.stdtr(df, -abs(value) / np.sqrt(variance)))


def crossed_bootstrap_interval(
    value: float,
    influence: Float64,
    listeners: IntArray,
    items: IntArray,
    *,
    n_boot: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """Return the interval from resamples of the listeners and, independently, of the items.

    An answer counts as often as its listener times as often as its item. Such resamples count the residual three times,
    and no resampling of crossed factors is exact. So their distribution gives the interval its shape, and
    :func:`two_way_variance` its scale, with the tails of Student's t.

    Args:
        value: the estimate.
        influence: (n,) float64, of each answer on it.
        listeners: (n,) int, from 0.
        items: (n,) int, from 0.
        n_boot: resamples.
        seed: of the resamples.
        level: of confidence.

    Raises:
        ShapeError: fewer than two listeners or items, or an influence is not finite.
    """
    variance, df = two_way_variance(influence, listeners, items)
    if variance == 0:
        return value, value
    n_listeners, n_items = int(listeners.max()) + 1, int(items.max()) + 1
    table = np.zeros((n_listeners, n_items))
    np.add.at(table, (listeners, items), influence)
    rng = seeds.stream(seed, "", "crossed-bootstrap")
    parts = []
    for part in chunks(n_boot, n_listeners + n_items):
        size = part.stop - part.start
        a = rng.multinomial(n_listeners, np.full(n_listeners, 1 / n_listeners), size=size)
        b = rng.multinomial(n_items, np.full(n_items, 1 / n_items), size=size)
        parts.append(((a @ table) * b).sum(axis=1))  # Σ aₗ bᵢ zₗᵢ
    deviations = np.concatenate(parts)
    spread = float(deviations.std())
    if spread == 0:
        return two_way_interval(value, influence, listeners, items, level=level)
    tail = (1 + level) / 2
    wider = float(special.stdtrit(df, tail) / special.ndtri(tail))
    scaled = (deviations - deviations.mean()) / spread * np.sqrt(variance) * wider
    low, high = np.quantile(scaled, [1 - tail, tail])
    return float(value + low), float(value + high)


def adjusted_differences(
    values: Float64, systems: IntArray, listeners: IntArray, items: IntArray, pairs: Sequence[tuple[int, int]]
) -> list[tuple[float, Float64, int]]:
    """Return differences of systems, freed of the levels of listeners and items by least squares.

    Where every listener gives every item to all systems this is the mean of the paired differences. The cost is that of
    the eigenvectors of a matrix with a row per system, listener and item, and of a sum over the answers per pair.

    Args:
        values: (n,) float64, the answers.
        systems: (n,) int, from 0.
        listeners: (n,) int, from 0.
        items: (n,) int, from 0.
        pairs: (a, b) of each difference a − b.

    Returns:
        For each pair: the difference, the influence of each answer on it, (n,) float64, and the number of parameters
        fitted. Residuals are enlarged by √(n / (n − parameters)).

    Raises:
        ShapeError: two systems share neither listeners nor items, by any detour, or nothing is left to estimate noise.
    """
    require_finite(values, "answers")
    n, n_systems, n_listeners = len(values), int(systems.max()) + 1, int(listeners.max()) + 1
    # each row of the design has three ones, in these columns: it is never written out
    ones = np.stack([systems, n_systems + listeners, n_systems + n_listeners + items])
    gram = np.zeros((int(ones.max()) + 1,) * 2)
    for rows in ones:
        for columns in ones:
            np.add.at(gram, (rows, columns), 1.0)
    inverse, rank = _pseudo_inverse(gram)
    if n <= rank:
        raise ShapeError(f"{n} answers are too few for the levels of {rank} systems, listeners and items")
    sums = np.bincount(ones.ravel(), np.tile(values, 3), minlength=len(gram))
    levels = inverse @ sums
    residuals = (values - levels[ones].sum(axis=0)) * np.sqrt(n / (n - rank))
    weights = inverse[:, :n_systems][ones].sum(axis=0)  # (n, systems): value of system s is Σ wⱼₛ yⱼ, up to a constant
    found = []
    for a, b in pairs:
        contrast = np.zeros(len(gram))
        contrast[a], contrast[b] = 1.0, -1.0
        if not np.allclose(gram @ (inverse @ contrast), contrast, atol=1e-6):
            raise ShapeError(f"systems {a} and {b} share neither listeners nor items, so they cannot be compared")
        weight = weights[:, a] - weights[:, b]
        found.append((float(weight @ values), weight * residuals, rank))
    return found


def _pseudo_inverse(gram: Float64) -> tuple[Float64, int]:
    """Return the pseudo-inverse of a symmetric matrix, (p, p), and its rank."""
    sizes, vectors = np.linalg.eigh(gram)
    used = sizes > 1e-10 * sizes[-1]
    own = vectors[:, used]
    return (own / sizes[used]) @ own.T, int(used.sum())


def variance_components(
    values: Float64, listeners: IntArray, items: IntArray, groups: IntArray | None = None
) -> VarianceComponents:
    """Estimate how much answers vary between listeners, between items, and otherwise, whatever is missing.

    Sums of squared differences of answers of one listener, to one item, and of all, are set equal to their
    expectations. Estimates below zero become zero.

    Args:
        values: (n,) float64, the answers.
        listeners: (n,) int, from 0.
        items: (n,) int, from 0.
        groups: (n,) int, from 0, whose means are taken out first (systems); None: one mean.

    Raises:
        ShapeError: too little overlap to tell them apart: every listener, or every item, has one answer.

    Example:
        >>> who, what = np.repeat(np.arange(3), 4), np.tile(np.arange(4), 3)
        >>> y = 2.0 * who + np.array([0.0, 1.0, 3.0, 4.0])[what]
        >>> [round(v, 6) for v in variance_components(y, who, what)]
        [4.0, 3.333333, 0.0]
    """
    require_finite(values, "answers")
    own = np.zeros(len(values), np.intp) if groups is None else groups
    y = values - (np.bincount(own, values) / np.maximum(np.bincount(own), 1))[own]
    counts = np.zeros((int(listeners.max()) + 1, int(items.max()) + 1))
    np.add.at(counts, (listeners, items), 1.0)
    n, by_listener, by_item = counts.sum(), counts.sum(axis=1), counts.sum(axis=0)
    seen_listeners, seen_items = np.count_nonzero(by_listener), np.count_nonzero(by_item)

    def within(classes: IntArray, sizes: Float64) -> float:
        sums = np.bincount(classes, y, minlength=len(sizes))
        return float((y**2).sum() - (sums**2 / np.maximum(sizes, 1)).sum())

    squares = np.array([within(listeners, by_listener), within(items, by_item), float((y**2).sum() - y.sum() ** 2 / n)])
    # rows: expectation of each sum of squares; columns: σ² of listeners, items, rest
    expected = np.array(
        [
            [0.0, n - (counts**2 / np.maximum(by_listener, 1)[:, None]).sum(), n - seen_listeners],
            [n - (counts**2 / np.maximum(by_item, 1)[None, :]).sum(), 0.0, n - seen_items],
            [n - (by_listener**2).sum() / n, n - (by_item**2).sum() / n, n - 1],
        ]
    )
    if np.linalg.cond(expected) > 1e8:
        raise ShapeError(
            "listeners, items and noise cannot be told apart; it takes listeners with several answers and items with "
            "several listeners"
        )
    found = np.linalg.solve(expected, squares)
    scale = float(np.abs(squares).max()) / n * 1e-12
    return VarianceComponents(*(float(v) if v > scale else 0.0 for v in found))


def _count(classes: IntArray) -> int:
    return len(np.unique(classes))


def _squares(influence: Float64, classes: IntArray) -> float:
    return float((np.bincount(classes, influence) ** 2).sum())
