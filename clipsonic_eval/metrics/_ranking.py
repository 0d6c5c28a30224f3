"""Recall at k: is a right item among the k nearest of a gallery?"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from clipsonic_eval.arraytypes import Bool, Float64, Int
from clipsonic_eval.stats.chunking import chunks

_TIE = 1e-9  # cosines of equal vectors differ by rounding


def recall_at(queries: Float64, gallery: Float64, k: int, right_of: Callable[[slice], Bool]) -> Float64:
    """Return per query whether a right gallery item is among the k nearest.

    Items at the same cosine are ordered at random, and the result is the expectation over that order: neither the order
    of files nor a gallery of equal vectors wins anything.

    Args:
        queries: (n, d) float64, rows whose products with the gallery's rank it.
        gallery: (m, d) float64.
        k: number of the nearest items that count.
        right_of: gives for a slice of the queries which items are right, (queries of the slice, m), at least one each.

    Returns:
        (n,) float64 in [0, 1].
    """
    result = np.empty(len(queries))
    for part in chunks(len(queries), len(gallery)):
        scores = queries[part] @ gallery.T
        right = right_of(part)
        best = np.where(right, scores, -np.inf).max(axis=1)[:, None]
        before = ((scores > best + _TIE) & ~right).sum(axis=1)  # wrong items that are nearer than the best right one
        level = scores >= best - _TIE
        tied = (level & ~right).sum(axis=1) - before
        among = tied + (level & right).sum(axis=1)
        result[part] = 1 - _none_drawn(tied, among, k - before)
    return result


def own_item(n: int) -> Callable[[slice], Bool]:
    """Return ``right_of`` for n queries whose right item has the same number: slices of an (n, n) identity."""
    numbers = np.arange(n)
    return lambda part: numbers[part, None] == numbers[None, :]


def _none_drawn(wrong: Int, among: Int, places: Int) -> Float64:
    """Return the probability that so many places, drawn from ``among`` items, all go to the wrong ones, (n,)."""
    result = np.ones(len(wrong))
    for i in range(int(places.max(initial=0))):  # Π_i (wrong − i) / (among − i)
        left = np.maximum(among - i, 1)
        result = np.where(i < places, result * np.maximum(wrong - i, 0) / left, result)
    return result
