"""Does an item find its own counterpart among all of them?"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from clipsonic_eval.arraytypes import Bool, Float64, Int
from clipsonic_eval.stats.chunking import chunks

_TIE = 1e-9  # cosines of equal vectors differ by rounding


def recall_at_1(queries: Float64, gallery: Float64) -> Float64:
    """Return by query whether its own gallery item is the nearest one, (n,) in [0, 1].

    Equal best candidates (the same caption twice) share the hit, as if one of them were drawn at random.
    """
    own = np.arange(len(queries))
    return recall_at(queries, gallery, (1,), own, own)[0]


def recall_at(
    queries: Float64, gallery: Float64, ks: Sequence[int], query_group: Int, gallery_group: Int
) -> list[Float64]:
    """Return by query whether a right gallery item is among the k nearest, for each k, (n,) in [0, 1].

    Right are all items of the query's own group. Items at the same cosine are ordered at random, and what is returned
    is the expectation over that order: neither the order of files nor a gallery of equal vectors wins anything.

    Args:
        queries: (n, d), rows whose products with the gallery's rank it.
        gallery: (m, d).
        ks: how many of the nearest count.
        query_group: (n,) each of which the gallery has.
        gallery_group: (m,).
    """
    return recall_where(queries, gallery, ks, lambda part: query_group[part, None] == gallery_group[None, :])


def recall_where(
    queries: Float64, gallery: Float64, ks: Sequence[int], right_of: Callable[[slice], Bool]
) -> list[Float64]:
    """Return the same where right items are no groups: ``right_of`` gives (queries of the slice, m), one right each."""
    n, m = len(queries), len(gallery)
    result = [np.empty(n) for _ in ks]
    for part in chunks(n, m):
        scores = queries[part] @ gallery.T
        right = right_of(part)
        best = np.where(right, scores, -np.inf).max(axis=1)[:, None]
        before = ((scores > best + _TIE) & ~right).sum(axis=1)
        level = scores >= best - _TIE
        tied = (level & ~right).sum(axis=1) - before
        among = tied + (level & right).sum(axis=1)
        for found, k in zip(result, ks, strict=True):
            found[part] = 1 - _none_drawn(tied, among, k - before)
    return result


def _none_drawn(wrong: Int, among: Int, places: Int) -> Float64:
    """Return the probability that so many places, drawn from ``among`` items, all go to the wrong ones of them."""
    result = np.ones(len(wrong))
    for i in range(int(places.max(initial=0))):
        left = np.maximum(among - i, 1)
        result = np.where(i < places, result * np.maximum(wrong - i, 0) / left, result)
    return result
