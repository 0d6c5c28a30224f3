"""Diversity: how far a system's outputs lie from each other, without a reference.

Read it together with a metric of quality: noise can be as diverse as real audio. It is low for a system whose prompts
all ask for the same sound, as it should be. Rows as given, pairs of rows of different clips.

Intervals: jackknife over clips. Where the clips have no direction in common, the cosine's is up to 1.4 times too wide
(98 to 99 % cover): taking out what the jackknife counts twice leaves 86 %, since the estimate is then as skewed as a
chi-square. Cost: n d for cosines, n² d / 2 in blocks for distances.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from clipsonic_eval.arraytypes import Float64
from clipsonic_eval.metrics._base import Influence, Inputs, MetricCard, SetMetric, metric
from clipsonic_eval.metrics.scoring import Vectors, score
from clipsonic_eval.metrics.vectors import clips_of, require_clips, sorted_rows, unit
from clipsonic_eval.stats.influence import jackknife_influence
from clipsonic_eval.stats.pairwise import mean_within, squared_distances
from clipsonic_eval.types import Embeddings, Score

MIN_CLIPS = 3
_ZHANG = "R. Zhang et al., The Unreasonable Effectiveness of Deep Features, CVPR 2018"


def _cosine(system: Embeddings) -> tuple[float, Float64]:
    """Return 1 - the mean cosine over pairs of rows of different clips, and the same without each clip, (clips,).

    All cosines at once: the square of the sum, less those of rows of one clip with each other.
    """
    require_clips("diversity", system, MIN_CLIPS, "system")
    keys, clip_of_row = clips_of(system.keys)
    sums = np.zeros((len(keys), system.vectors.shape[1]))
    np.add.at(sums, clip_of_row, unit(system))  # s_i = Σ of the unit rows of clip i
    count = np.bincount(clip_of_row)
    whole, n = sums.sum(axis=0), len(system)
    own = np.einsum("ij,ij->i", sums, sums)
    total, pairs = float(whole @ whole - own.sum()), n * n - float((count**2).sum())  # |Σ s_i|² − Σ |s_i|²
    without = (total - 2 * (sums @ whole - own)) / (pairs - 2 * count * (n - count))
    return 1 - total / pairs, 1 - without


def _distance(system: Embeddings) -> tuple[float, Float64]:
    """Return the mean distance over pairs of rows of different clips, and the same without each clip, (clips,)."""
    require_clips("diversity_distance", system, MIN_CLIPS, "system")

    def distance(x: Float64, y: Float64) -> Float64:
        return np.sqrt(squared_distances(x, y))

    found = mean_within(sorted_rows(system, system.vectors.mean(axis=0, dtype=np.float64)), distance)
    return found.value, found.without_first


def _metric(card: MetricCard, mean: Callable[[Embeddings], tuple[float, Float64]], highest: float) -> SetMetric:
    def estimate(inputs: Inputs) -> tuple[float, Influence]:
        value, without = mean(inputs.system)
        return value, (jackknife_influence(without), None)

    return SetMetric.from_estimate(card, estimate, lowest=0.0, highest=highest)


DIVERSITY = _metric(
    MetricCard(
        name="diversity",
        title="Diversity",
        description="1 - mean cosine of different clips",
        unit="1 - cosine",
        higher_is_better=True,
        role="audio_text",
        encoder="toy-clap",
        needs=(),
        min_n=MIN_CLIPS,
        biased_in_n=False,
        signature="of:1-cosine|pairs:distinct-clips",
        source=_ZHANG,
    ),
    _cosine,
    2.0,
)
DIVERSITY_DISTANCE = _metric(
    MetricCard(
        name="diversity_distance",
        title="Diversity, distance",
        description="mean Euclidean distance of different clips",
        unit="distance",
        higher_is_better=True,
        role="audio",
        encoder="toy-audio",
        needs=(),
        min_n=MIN_CLIPS,
        biased_in_n=False,
        signature="of:euclidean|pairs:distinct-clips",
        source=_ZHANG,
    ),
    _distance,
    np.inf,
)


@metric(DIVERSITY)
def diversity(system: Vectors, *, n_boot: int = 2000, seed: int = 0) -> Score:
    """Return 1 - the mean cosine of rows of different clips.

    Args:
        system: (n, d) embeddings of the system's audio; one or more rows per clip.
        n_boot: number of resamples of the clips for the interval; 0: no interval.
        seed: of the resamples.

    Returns:
        The diversity, in [0, 2]; 0 where all clips have one direction.

    Raises:
        ShapeError: a shape does not fit, fewer than three clips, or a vector is zero.

    Source: R. Zhang et al., The Unreasonable Effectiveness of Deep Features as a Perceptual Metric, CVPR 2018 (mean
    perceptual distance of pairs).

    Example:
        >>> import numpy as np
        >>> from scipy.spatial.distance import pdist
        >>> from clipsonic_eval.metrics import diversity
        >>> clips = np.random.default_rng(0).standard_normal((12, 4))
        >>> bool(np.isclose(float(diversity(clips)), pdist(clips, "cosine").mean()))
        True
        >>> abs(float(diversity(np.ones((5, 3))))) < 1e-12
        True
    """
    return score(DIVERSITY, system, n_boot=n_boot, seed=seed)


@metric(DIVERSITY_DISTANCE)
def diversity_distance(system: Vectors, *, n_boot: int = 2000, seed: int = 0) -> Score:
    """Return the mean Euclidean distance of rows of different clips, for encoders whose vectors have a meaningful norm.

    Args:
        system: (n, d) embeddings of the system's audio; one or more rows per clip.
        n_boot: number of resamples of the clips for the interval; 0: no interval.
        seed: of the resamples.

    Returns:
        The mean distance, in units of the embedding space.

    Raises:
        ShapeError: a shape does not fit, or fewer than three clips.

    Source: R. Zhang et al., The Unreasonable Effectiveness of Deep Features as a Perceptual Metric, CVPR 2018 (mean
    perceptual distance of pairs).

    Example:
        >>> import numpy as np
        >>> from clipsonic_eval.metrics import diversity_distance
        >>> corners = np.array([[0.0, 0.0], [3.0, 0.0], [0.0, 4.0]])  # distances 3, 4 and 5
        >>> round(float(diversity_distance(corners)), 6)
        4.0
        >>> round(float(diversity_distance(2 * corners)), 6)
        8.0
    """
    return score(DIVERSITY_DISTANCE, system, n_boot=n_boot, seed=seed)
