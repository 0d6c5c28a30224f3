"""Share of the modality gap that a prior closes: 1 - what its output leaves of a distance / the distance of the text.

Text and prior share their resamples. Where the text leaves no gap there is no share, and no score.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from clipsonic_eval.metrics._base import Estimate, MetricCard, PairMetric, metric
from clipsonic_eval.metrics.gap._pairs import MIN_PAIRS, PairedVectors, Resampled
from clipsonic_eval.metrics.gap.scores import score_pairs
from clipsonic_eval.metrics.scoring import Vectors
from clipsonic_eval.types import Score


def _metric(
    name: str,
    title: str,
    share_of: str,
    signature: str,
    distance: Callable[[PairedVectors], Resampled],
    *,
    biased_in_n: bool = False,
) -> PairMetric:
    def estimate(pairs: PairedVectors) -> Estimate | None:
        assert pairs.text is not None
        whole, rest = distance(pairs.text), distance(pairs)
        if whole.value <= 0:
            return None  # no gap, no share of it
        least = 1e-12 * whole.value  # a resample without any gap
        replicates = 1 - rest.replicates / np.maximum(whole.replicates, least)  # 1 − d(image, prior) / d(image, text)
        return pairs.bootstrapped(Resampled(1 - rest.value / whole.value, replicates, np.empty(0)))

    card = MetricCard(
        name=name,
        title=title,
        description=f"share of {share_of} between image and text that a prior closes",
        unit="fraction",
        higher_is_better=True,
        role="paired",
        needs=("image", "text"),
        min_n=MIN_PAIRS,
        biased_in_n=biased_in_n,
        signature=f"vec:l2|{signature}",
        source="defined here, from W. Liang et al., Mind the Gap, NeurIPS 2022",
    )
    return PairMetric(card, estimate)


GAP_CLOSED_CENTROID = _metric(
    "gap_closed_centroid",
    "Centroid gap closed",
    "the centroid distance",
    "of:centroid-distance",
    lambda pairs: pairs.centroid_distance,
    biased_in_n=True,
)
GAP_CLOSED = _metric(
    "gap_closed",
    "Cosine gap closed",
    "1 - matched cosine",
    "of:1-matched-cosine",
    lambda pairs: pairs.matched_cosine.complement(),
)
GAP_CLOSED_CENTRED = _metric(
    "gap_closed_centred",
    "Centred cosine gap closed",
    "1 - centred matched cosine",
    "of:1-matched-cosine|centre:own-side",
    lambda pairs: pairs.matched_cosine_centred.complement(),
)


@metric(GAP_CLOSED_CENTROID)
def gap_closed_centroid(
    image: Vectors, text: Vectors, predicted: Vectors, *, n_boot: int = 2000, seed: int = 0
) -> Score:
    """Return the share of the centroid distance that a prior closes. Moving the cloud as a whole gives nearly 1.

    Args:
        image: (n, d) image embeddings (or audio).
        text: (n, d) text embeddings of the same items, row by row or by key.
        predicted: (n, d) what a prior predicts in the image's place, from the text.
        n_boot: number of resamples of the items for the interval; 0: no interval.
        seed: of the resamples.

    Returns:
        1 - distance of the prediction's centroid / distance of the text's centroid.

    Raises:
        ShapeError: a shape does not fit, fewer than five items, a vector is zero, or there is no gap.
        SpaceError: the sets come from different encoders or have different widths.

    Source: defined here, from W. Liang et al., Mind the Gap, NeurIPS 2022.

    Example:
        >>> import numpy as np
        >>> from clipsonic_eval.metrics import gap_closed, gap_closed_centred, gap_closed_centroid
        >>> rng = np.random.default_rng(0)
        >>> image = rng.standard_normal((200, 8)) + 3 * np.eye(8)[0]
        >>> text = image + 0.5 * rng.standard_normal((200, 8)) + 3 * np.eye(8)[1]
        >>> moved = text + (image - text).mean(axis=0)  # mean-shift
        >>> [f(image, text, moved).value > 0.5 for f in (gap_closed_centroid, gap_closed, gap_closed_centred)]
        [True, True, False]
    """
    return score_pairs(GAP_CLOSED_CENTROID, image, predicted, text=text, n_boot=n_boot, seed=seed)


@metric(GAP_CLOSED)
def gap_closed(image: Vectors, text: Vectors, predicted: Vectors, *, n_boot: int = 2000, seed: int = 0) -> Score:
    """Return the share of 1 - matched cosine that a prior closes.

    Args:
        image: (n, d) image embeddings (or audio).
        text: (n, d) text embeddings of the same items, row by row or by key.
        predicted: (n, d) what a prior predicts in the image's place, from the text.
        n_boot: number of resamples of the items for the interval; 0: no interval.
        seed: of the resamples.

    Raises:
        ShapeError: a shape does not fit, fewer than five items, a vector is zero, or there is no gap.
        SpaceError: the sets come from different encoders or have different widths.

    Source: defined here, from W. Liang et al., Mind the Gap, NeurIPS 2022.

    Example:
        >>> import numpy as np
        >>> from clipsonic_eval.metrics import gap_closed
        >>> rng = np.random.default_rng(0)
        >>> image, text = rng.standard_normal((50, 8)), rng.standard_normal((50, 8))
        >>> round(float(gap_closed(image, text, image)), 6)  # a perfect prior
        1.0
        >>> abs(float(gap_closed(image, text, text))) < 1e-9  # a copy of the text
        True
    """
    return score_pairs(GAP_CLOSED, image, predicted, text=text, n_boot=n_boot, seed=seed)


@metric(GAP_CLOSED_CENTRED)
def gap_closed_centred(
    image: Vectors, text: Vectors, predicted: Vectors, *, n_boot: int = 2000, seed: int = 0
) -> Score:
    """Return the share of 1 - centred matched cosine that a prior closes.

    Moving the cloud gives 0; only knowing more about the single image than the text embedding says gives more. 1 is out
    of reach where a text fits many images.

    Args:
        image: (n, d) image embeddings (or audio).
        text: (n, d) text embeddings of the same items, row by row or by key.
        predicted: (n, d) what a prior predicts in the image's place, from the text.
        n_boot: number of resamples of the items for the interval; 0: no interval.
        seed: of the resamples.

    Raises:
        ShapeError: a shape does not fit, fewer than five items, a vector is zero, or there is no gap.
        SpaceError: the sets come from different encoders or have different widths.

    Source: defined here, from W. Liang et al., Mind the Gap, NeurIPS 2022.

    Example:
        >>> import numpy as np
        >>> from clipsonic_eval.metrics import gap_closed_centred
        >>> rng = np.random.default_rng(0)
        >>> image = rng.standard_normal((50, 8))
        >>> text = image + rng.standard_normal((50, 8))
        >>> half = (image + text) / 2
        >>> 0.5 < float(gap_closed_centred(image, text, half)) < 1
        True
    """
    return score_pairs(GAP_CLOSED_CENTRED, image, predicted, text=text, n_boot=n_boot, seed=seed)
