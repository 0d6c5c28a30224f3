"""The modality gap between paired embeddings of one space (image and text, image and a prior's output, audio and text).

Every function takes two float64 arrays of unit vectors, (n, d) each, row i of one belonging to row i of the other;
:func:`paired` makes them from embeddings, by key. Cosines are never averaged over an item and itself, nor over an item
and its own pair unless the name says *matched*.

Source: W. Liang et al., Mind the Gap, NeurIPS 2022 (centroid distance of L2-normalised features).
"""

from __future__ import annotations

from clipsonic_eval.arraytypes import Float64
from clipsonic_eval.metrics._ranking import own_item, recall_at
from clipsonic_eval.metrics.gap.geometry import (
    centred_cosines,
    centroid_distance,
    corrected_squared_distance,
    matched_cosines,
    unmatched_cosine,
    within_cosine,
)
from clipsonic_eval.metrics.gap.pairs import paired
from clipsonic_eval.metrics.gap.separability import separability
from clipsonic_eval.metrics.gap.shift import mean_shift
from clipsonic_eval.metrics.gap.shift_curve import shift_curve


def recall_at_1(queries: Float64, gallery: Float64) -> Float64:
    """Return per query whether its own gallery item is the nearest one, (n,) in [0, 1]; ties share the hit."""
    return recall_at(queries, gallery, 1, own_item(len(queries)))


BIASED_IN_N = frozenset(
    {
        "centroid_distance",
        "gap_closed_centroid",
        "recall_at_1_from_image",
        "recall_at_1_to_image",
        "separability",
    }
)  # statistics whose expectation depends on the number of items

__all__ = [
    "BIASED_IN_N",
    "centred_cosines",
    "centroid_distance",
    "corrected_squared_distance",
    "matched_cosines",
    "mean_shift",
    "paired",
    "recall_at_1",
    "separability",
    "shift_curve",
    "unmatched_cosine",
    "within_cosine",
]
