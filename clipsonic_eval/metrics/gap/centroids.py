"""Distance of the centroids of the two sides, plug-in and without its bias."""

from __future__ import annotations

import numpy as np

from clipsonic_eval.metrics._base import Estimate, MetricCard, PairMetric, metric
from clipsonic_eval.metrics.gap import geometry
from clipsonic_eval.metrics.gap._pairs import MIN_PAIRS, PairedVectors
from clipsonic_eval.metrics.gap.scores import score_pairs
from clipsonic_eval.metrics.scoring import Vectors
from clipsonic_eval.stats.bootstrap import jackknife_interval
from clipsonic_eval.types import Score


def _card(name: str, title: str, description: str, signature: str, *, biased_in_n: bool) -> MetricCard:
    return MetricCard(
        name=name,
        title=title,
        description=description,
        unit="distance",
        higher_is_better=False,
        role="paired",
        needs=("image",),
        min_n=MIN_PAIRS,
        biased_in_n=biased_in_n,
        signature=f"vec:l2|{signature}",
        source="W. Liang et al., Mind the Gap, NeurIPS 2022",
    )


def _corrected(pairs: PairedVectors) -> Estimate:
    """Estimate on the squared scale, where there is no bias, then take the root; below zero counts as 0."""
    difference = pairs.target - pairs.other
    square, without = geometry.mean_of_unmatched(difference, difference)  # mean of (x_i − y_i)·(x_j − y_j), i ≠ j
    low, high = jackknife_interval(square, without)
    value, *ends = (float(np.sqrt(max(0.0, v))) for v in (square, low, high))
    return Estimate(value, (ends[0], ends[1]), "jackknife-of-square", details={"square": square})


CENTROID_DISTANCE = PairMetric(
    _card(
        "centroid_distance",
        "Centroid distance",
        "distance of the centroids of the two modalities",
        "est:plug-in",
        biased_in_n=True,
    ),
    lambda pairs: pairs.bootstrapped(pairs.centroid_distance, lowest=0.0),
)
CENTROID_DISTANCE_CORRECTED = PairMetric(
    _card(
        "centroid_distance_corrected",
        "Centroid distance, corrected",
        "distance of the centroids of the two modalities, without the bias of few items",
        "est:distinct-pairs",
        biased_in_n=False,
    ),
    _corrected,
    independent=True,
)


@metric(CENTROID_DISTANCE)
def centroid_distance(image: Vectors, text: Vectors, *, n_boot: int = 2000, seed: int = 0) -> Score:
    """Return the distance of the centroids of two modalities, the usual measure of the modality gap.

    Conventions: vectors of unit length; plug-in, which is biased upward by noise of order 1/n.

    Args:
        image: (n, d) image embeddings (or audio).
        text: (n, d) text embeddings of the same items, row by row or by key.
        n_boot: number of resamples of the items for the interval; 0: no interval.
        seed: of the resamples.

    Returns:
        The distance, in [0, 2].

    Raises:
        ShapeError: a shape does not fit, fewer than five items, or a vector is zero.
        SpaceError: the two sides come from different encoders or have different widths.

    Source: W. Liang et al., Mind the Gap, NeurIPS 2022.

    Example:
        >>> import numpy as np
        >>> from clipsonic_eval.metrics import centroid_distance
        >>> image = np.array([[1.0, 0.1], [1.0, -0.1], [2.0, 0.0], [1.0, 0.2], [1.0, -0.2]])
        >>> text = image[:, ::-1]  # around the other axis
        >>> round(float(centroid_distance(image, text)), 2)
        1.4
        >>> round(float(centroid_distance(image, 3 * image)), 6)  # lengths do not matter
        0.0
    """
    return score_pairs(CENTROID_DISTANCE, image, text, n_boot=n_boot, seed=seed)


@metric(CENTROID_DISTANCE_CORRECTED)
def centroid_distance_corrected(image: Vectors, text: Vectors, *, n_boot: int = 2000, seed: int = 0) -> Score:
    """Return the distance of the centroids without the bias of few items.

    The root of the mean of (x_i - y_i)·(x_j - y_j) over different items, which equals the plug-in square less
    tr Cov(x - y) / n and has the right expectation at every n; below zero counts as 0. The interval is the jackknife's.

    Args:
        image: (n, d) image embeddings (or audio).
        text: (n, d) text embeddings of the same items, row by row or by key.
        n_boot: unused, the interval needs no resamples.
        seed: written into the score.

    Returns:
        The distance, in [0, 2]; ``details["square"]`` has the estimate of its square, which may be negative.

    Raises:
        ShapeError: a shape does not fit, fewer than five items, or a vector is zero.
        SpaceError: the two sides come from different encoders or have different widths.

    Source: the U-statistic of A. Gretton et al., A Kernel Two-Sample Test, JMLR 2012, for a linear kernel and pairs.

    Example:
        >>> import numpy as np
        >>> from clipsonic_eval.metrics import centroid_distance, centroid_distance_corrected
        >>> rng = np.random.default_rng(0)
        >>> image, text = rng.standard_normal((20, 8)), rng.standard_normal((20, 8))  # no gap
        >>> round(float(centroid_distance(image, text)), 1), round(float(centroid_distance_corrected(image, text)), 1)
        (0.4, 0.2)
        >>> centroid_distance_corrected(image, text).details["square"] < 0.05
        True
    """
    return score_pairs(CENTROID_DISTANCE_CORRECTED, image, text, n_boot=n_boot, seed=seed)
