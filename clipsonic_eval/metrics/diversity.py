"""``diversity`` and ``diversity_distance``: how far a system's outputs lie from each other.

``diversity`` is 1 - the mean cosine of two different clips (in the space of the CLAP score), ``diversity_distance``
their mean Euclidean distance (in the space of FAD, whose vectors have lengths that matter). Rows as given, pairs of
rows of different clips, no reference. Read them beside a measure of quality: noise can be as diverse as sounds. A
system asked for the same sound again and again is rightly low.

Intervals: jackknife over clips. Where the clips have no direction in common, the cosine's is up to 1.4 times too wide
(98 to 99 % cover): taking out what the jackknife counts twice leaves 86 %, since the estimate is then as skewed as a
chi-square. Cost: n d for cosines, n^2 d / 2 in blocks for distances.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from clipsonic_eval.arraytypes import Float64
from clipsonic_eval.metrics._base import METRICS, Inputs, MetricCard, SetMetric
from clipsonic_eval.metrics._rows import Influence, at_least, metric_of, sorted_rows
from clipsonic_eval.metrics._vectors import clips_of, unit
from clipsonic_eval.stats.influence import jackknife_influence
from clipsonic_eval.stats.pairwise import mean_within, squared_distances
from clipsonic_eval.types import Embeddings

Estimate = Callable[[Embeddings], tuple[float, Float64]]  # the mean, and without each clip

MIN_CLIPS = 3


def diversity(system: Embeddings) -> float:
    """Return 1 - the mean cosine of rows of different clips, in [0, 2].

    Raises:
        ShapeError: fewer than three clips, or a vector is zero.
    """
    return _cosine(system)[0]


def diversity_distance(system: Embeddings) -> float:
    """Return the mean Euclidean distance of rows of different clips.

    Raises:
        ShapeError: fewer than three clips.
    """
    return _distance(system)[0]


def _cosine(system: Embeddings) -> tuple[float, Float64]:
    """All cosines at once: the square of the sum, less what rows of one clip have with each other."""
    at_least("diversity", system, MIN_CLIPS, "system")
    keys, clip_of_row = clips_of(system.keys)
    sums = np.zeros((len(keys), system.vectors.shape[1]))
    np.add.at(sums, clip_of_row, unit(system))
    count = np.bincount(clip_of_row)
    whole, n = sums.sum(axis=0), len(system)
    own = np.einsum("ij,ij->i", sums, sums)
    total, pairs = float(whole @ whole - own.sum()), n * n - float((count**2).sum())
    without = (total - 2 * (sums @ whole - own)) / (pairs - 2 * count * (n - count))
    return 1 - total / pairs, 1 - without


def _distance(system: Embeddings) -> tuple[float, Float64]:
    at_least("diversity_distance", system, MIN_CLIPS, "system")

    def distance(x: Float64, y: Float64) -> Float64:
        return np.sqrt(squared_distances(x, y))

    found = mean_within(sorted_rows(system, system.vectors.mean(axis=0, dtype=np.float64)), distance)
    return found.value, found.without_first


def _metric(estimate: Estimate, card: MetricCard, highest: float) -> SetMetric:
    def with_influence(inputs: Inputs) -> tuple[float, Influence]:
        value, without = estimate(inputs.system)
        return value, (jackknife_influence(without), None)

    return metric_of(card, with_influence, lowest=0.0, highest=highest)


METRICS.add(
    "diversity",
    _metric(
        _cosine,
        MetricCard(
            name="diversity",
            title="Diversity",
            description="1 - mean cosine of two different clips",
            unit="1 - cosine",
            higher_is_better=True,
            role="audio_text",
            encoder="toy-clap",
            needs=(),
            min_n=MIN_CLIPS,
            biased_in_n=False,
            signature="of:1-cosine|pairs:distinct-clips",
            source="R. Zhang et al., The Unreasonable Effectiveness of Deep Features, CVPR 2018",
        ),
        2.0,
    ),
)
METRICS.add(
    "diversity_distance",
    _metric(
        _distance,
        MetricCard(
            name="diversity_distance",
            title="Diversity, distance",
            description="mean Euclidean distance of two different clips",
            unit="distance",
            higher_is_better=True,
            role="audio",
            encoder="toy-audio",
            needs=(),
            min_n=MIN_CLIPS,
            biased_in_n=False,
            signature="of:euclidean|pairs:distinct-clips",
            source="R. Zhang et al., The Unreasonable Effectiveness of Deep Features, CVPR 2018",
        ),
        np.inf,
    ),
)
