"""Linear separability of the two sides, and recall at 1 from one side to the other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from clipsonic_eval import seeds
from clipsonic_eval.arraytypes import Float64
from clipsonic_eval.errors import ShapeError
from clipsonic_eval.metrics._base import MetricCard, PairMetric, metric
from clipsonic_eval.metrics._ranking import own_item, recall_at
from clipsonic_eval.metrics.gap._pairs import MIN_PAIRS
from clipsonic_eval.metrics.gap.scores import score_pairs
from clipsonic_eval.metrics.scoring import Vectors
from clipsonic_eval.types import Score

FOLDS = 5
RIDGE = 1e-3


def sides_recognised(x: Float64, y: Float64, keys: Sequence[str]) -> Float64:
    """Return per item the share of its two vectors that a linear rule assigns to the right side.

    Args:
        x: (n, d) float64 of one side.
        y: (n, d) float64 of the other.
        keys: (n,) distinct.

    Returns:
        (n,) float64: 0, 0.5 or 1.

    Raises:
        ShapeError: fewer items than folds.
    """
    n = len(keys)
    if n < FOLDS:
        raise ShapeError(f"separability needs at least {FOLDS} items, got {n}")
    order = sorted(range(n), key=lambda i: (seeds.derive(0, keys[i], "separability-fold"), keys[i]))
    fold = np.empty(n, dtype=np.intp)
    fold[order] = np.arange(n) % FOLDS
    right = np.empty(n)
    for held in range(FOLDS):
        test = fold == held
        direction, threshold = _discriminant(x[~test], y[~test])
        right[test] = ((x[test] @ direction > threshold) * 1.0 + (y[test] @ direction < threshold)) / 2
    return right


def _discriminant(x: Float64, y: Float64) -> tuple[Float64, float]:
    """Return direction (d,) and threshold of the rule "x lies above"."""
    mean_x, mean_y = x.mean(axis=0), y.mean(axis=0)
    rows = np.concatenate([x - mean_x, y - mean_y])
    scatter = rows.T @ rows / len(rows)  # pooled within-side covariance Σ
    d = len(scatter)
    scatter[np.diag_indices(d)] += RIDGE * max(float(np.trace(scatter)) / d, np.finfo(float).tiny)
    direction = np.linalg.solve(scatter, mean_x - mean_y)  # w = (Σ + λI)⁻¹ (μx − μy)
    return direction, float(direction @ (mean_x + mean_y) / 2)


def recall_at_1(queries: Float64, gallery: Float64) -> Float64:
    """Return per query whether its own gallery item is the nearest: (n, d), (n, d) -> (n,) in [0, 1], ties share."""
    return recall_at(queries, gallery, 1, own_item(len(queries)))


def _card(
    name: str, title: str, description: str, signature: str, source: str, *, higher_is_better: bool
) -> MetricCard:
    return MetricCard(
        name=name,
        title=title,
        description=description,
        unit="proportion",
        higher_is_better=higher_is_better,
        role="paired",
        needs=("image",),
        min_n=MIN_PAIRS,
        biased_in_n=True,
        signature=f"vec:l2|{signature}",
        source=source,
    )


SEPARABILITY = PairMetric(
    _card(
        "separability",
        "Linear separability",
        "accuracy of a linear rule that tells the two modalities apart",
        "clf:ridge-lda-1e-3|split:5-fold-by-key",
        "R. A. Fisher, The Use of Multiple Measurements in Taxonomic Problems, 1936 (the discriminant)",
        higher_is_better=False,
    ),
    lambda pairs: pairs.proportion(sides_recognised(pairs.target, pairs.other, pairs.keys)),
    independent=True,
)
_RADFORD = "A. Radford et al., Learning Transferable Visual Models From Natural Language Supervision, ICML 2021 (R@1)"
RECALL_AT_1_TO_IMAGE = PairMetric(
    _card(
        "recall_at_1_to_image",
        "Recall at 1, to image",
        "share of texts or predictions whose own image is the nearest",
        "ties:shared",
        _RADFORD,
        higher_is_better=True,
    ),
    lambda pairs: pairs.proportion(recall_at_1(pairs.other, pairs.target)),
)
RECALL_AT_1_FROM_IMAGE = PairMetric(
    _card(
        "recall_at_1_from_image",
        "Recall at 1, from image",
        "share of images whose own text or prediction is the nearest",
        "ties:shared",
        _RADFORD,
        higher_is_better=True,
    ),
    lambda pairs: pairs.proportion(recall_at_1(pairs.target, pairs.other)),
)


@metric(SEPARABILITY)
def separability(image: Vectors, text: Vectors, *, n_boot: int = 2000, seed: int = 0) -> Score:
    """Return how well a linear rule tells the two modalities apart on items that it has not seen.

    The rule is a linear discriminant (least squares on the side, ridge 1e-3 of the mean variance, threshold midway
    between the projected centroids), fitted on four fifths of the items and tested on the rest; both vectors of an item
    are in the same fold, and folds follow from the keys alone. 0.5: indistinguishable; 1: separable.

    Args:
        image: (n, d) image embeddings (or audio).
        text: (n, d) text embeddings of the same items, or what a prior predicts; row by row or by key.
        n_boot: unused, the interval is Wilson's.
        seed: written into the score.

    Returns:
        The accuracy; ``per_clip`` has that of each item: 0, 0.5 or 1.

    Raises:
        ShapeError: a shape does not fit, fewer than five items, or a vector is zero.
        SpaceError: the two sides come from different encoders or have different widths.

    Source: R. A. Fisher, The Use of Multiple Measurements in Taxonomic Problems, 1936 (the linear discriminant).

    Example:
        >>> import numpy as np
        >>> from clipsonic_eval.metrics import separability
        >>> rng = np.random.default_rng(0)
        >>> x, y = rng.standard_normal((60, 4)), rng.standard_normal((60, 4))
        >>> float(separability(x + 5 * np.eye(4)[0], y + 5 * np.eye(4)[1]))
        1.0
        >>> 0.35 < float(separability(x, y)) < 0.65
        True
    """
    return score_pairs(SEPARABILITY, image, text, n_boot=n_boot, seed=seed)


@metric(RECALL_AT_1_TO_IMAGE)
def recall_at_1_to_image(image: Vectors, text: Vectors, *, n_boot: int = 2000, seed: int = 0) -> Score:
    """Return the share of texts whose own image is the nearest of all images.

    Equal best candidates share the hit, as if one of them were drawn at random. Chance is 1 / n.

    Args:
        image: (n, d) image embeddings (or audio).
        text: (n, d) text embeddings of the same items, or what a prior predicts; row by row or by key.
        n_boot: unused, the interval is Wilson's.
        seed: written into the score.

    Returns:
        The proportion; ``per_clip`` has the hit of each item, fractional at ties.

    Raises:
        ShapeError: a shape does not fit, fewer than five items, or a vector is zero.
        SpaceError: the two sides come from different encoders or have different widths.

    Source: A. Radford et al., Learning Transferable Visual Models From Natural Language Supervision, ICML 2021 (R@1).

    Example:
        >>> import numpy as np
        >>> from clipsonic_eval.metrics import recall_at_1_to_image
        >>> image = np.eye(6)
        >>> text = image[[1, 0, 2, 3, 4, 5]]  # the first two are exchanged
        >>> round(float(recall_at_1_to_image(image, text)), 3)
        0.667
        >>> list(recall_at_1_to_image(image, text).per_clip.values())
        [0.0, 0.0, 1.0, 1.0, 1.0, 1.0]
    """
    return score_pairs(RECALL_AT_1_TO_IMAGE, image, text, n_boot=n_boot, seed=seed)


@metric(RECALL_AT_1_FROM_IMAGE)
def recall_at_1_from_image(image: Vectors, text: Vectors, *, n_boot: int = 2000, seed: int = 0) -> Score:
    """Return the share of images whose own text is the nearest of all texts; see :func:`recall_at_1_to_image`.

    Args:
        image: (n, d) image embeddings (or audio).
        text: (n, d) text embeddings of the same items, or what a prior predicts; row by row or by key.
        n_boot: unused, the interval is Wilson's.
        seed: written into the score.

    Example:
        >>> import numpy as np
        >>> from clipsonic_eval.metrics import recall_at_1_from_image
        >>> image, caption = np.eye(6), np.eye(6)
        >>> caption[1] = caption[0]  # one text for two images
        >>> list(recall_at_1_from_image(image, caption).per_clip.values())[0]
        0.5
    """
    return score_pairs(RECALL_AT_1_FROM_IMAGE, image, text, n_boot=n_boot, seed=seed)
