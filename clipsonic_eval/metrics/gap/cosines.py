"""Cosines of matched pairs, of unmatched pairs, and within one side."""

from __future__ import annotations

from clipsonic_eval.metrics._base import Estimate, MetricCard, PairMetric, metric
from clipsonic_eval.metrics.gap import geometry
from clipsonic_eval.metrics.gap._pairs import MIN_PAIRS, PairedVectors
from clipsonic_eval.metrics.gap.scores import score_pairs
from clipsonic_eval.metrics.scoring import Vectors
from clipsonic_eval.stats.bootstrap import jackknife_interval, mean_interval
from clipsonic_eval.types import Score

_LIANG = "W. Liang et al., Mind the Gap, NeurIPS 2022"


def _card(name: str, title: str, description: str, signature: str, *, sides: int = 2) -> MetricCard:
    return MetricCard(
        name=name,
        title=title,
        description=description,
        unit="cosine",
        higher_is_better=True,
        role="paired",
        needs=("image",) if sides == 2 else (),
        min_n=MIN_PAIRS,
        biased_in_n=False,
        signature=f"vec:l2|{signature}",
        source=_LIANG,
    )


def _matched(pairs: PairedVectors) -> Estimate:
    found = pairs.matched_cosine
    items = pairs.per_key(found.items)
    if not pairs.n_boot:
        return Estimate(found.value, None, "none", items)
    return Estimate(found.value, *mean_interval(found.items, pairs.counts), items)


def _unmatched(pairs: PairedVectors) -> Estimate:
    value, without = geometry.mean_of_unmatched(pairs.target, pairs.other)
    return Estimate(value, jackknife_interval(value, without), "jackknife")


def _within(pairs: PairedVectors) -> Estimate:
    value, without = geometry.mean_of_unmatched(pairs.other, pairs.other)
    return Estimate(value, jackknife_interval(value, without), "jackknife")


def _within_side(side: str, name: str, title: str, whose: str) -> PairMetric:
    card = _card(name, title, f"mean cosine of different items {whose}", "est:distinct-pairs", sides=1)
    return PairMetric(card, _within, side=side)


MATCHED_COSINE = PairMetric(
    _card("matched_cosine", "Matched cosine", "mean cosine of an item's two embeddings", "pair:key"), _matched
)
MATCHED_COSINE_CENTRED = PairMetric(
    _card(
        "matched_cosine_centred",
        "Matched cosine, centred",
        "mean cosine of an item's two embeddings, each side's centroid subtracted",
        "pair:key|centre:own-side",
    ),
    lambda pairs: pairs.bootstrapped(pairs.matched_cosine_centred),
)
UNMATCHED_COSINE = PairMetric(
    _card(
        "unmatched_cosine", "Unmatched cosine", "mean cosine of an item and another item's pair", "est:distinct-pairs"
    ),
    _unmatched,
)
IMAGE_IMAGE_COSINE = _within_side("image", "image_image_cosine", "Image–image cosine", "among the images")
TEXT_TEXT_COSINE = _within_side("text", "text_text_cosine", "Text–text cosine", "among the texts")
AUDIO_AUDIO_COSINE = _within_side("audio", "audio_audio_cosine", "Audio–audio cosine", "among the clips")
WITHIN_COSINE = _within_side("prior", "within_cosine", "Cosine within", "among a prior's outputs")


@metric(MATCHED_COSINE)
def matched_cosine(image: Vectors, text: Vectors, *, n_boot: int = 2000, seed: int = 0) -> Score:
    """Return the mean cosine of an item's two embeddings.

    Args:
        image: (n, d) image embeddings (or audio).
        text: (n, d) text embeddings of the same items, or what a prior predicts; row by row or by key.
        n_boot: number of resamples of the items for the interval; 0: no interval.
        seed: of the resamples.

    Returns:
        The cosine; ``per_clip`` has that of each item.

    Raises:
        ShapeError: a shape does not fit, fewer than five items, or a vector is zero.
        SpaceError: the two sides come from different encoders or have different widths.

    Source: W. Liang et al., Mind the Gap, NeurIPS 2022.

    Example:
        >>> import numpy as np
        >>> from clipsonic_eval.metrics import matched_cosine
        >>> image = np.array([[1.0, 0.0]] * 5)
        >>> text = np.array([[1.0, 0.0], [0.0, 1.0], [3.0, 4.0], [-1.0, 0.0], [1.0, 0.0]])
        >>> score = matched_cosine(image, text)
        >>> [round(v, 2) for v in score.per_clip.values()], round(float(score), 2)
        ([1.0, 0.0, 0.6, -1.0, 1.0], 0.32)
    """
    return score_pairs(MATCHED_COSINE, image, text, n_boot=n_boot, seed=seed)


@metric(MATCHED_COSINE_CENTRED)
def matched_cosine_centred(image: Vectors, text: Vectors, *, n_boot: int = 2000, seed: int = 0) -> Score:
    """Return the mean cosine of an item's two embeddings after each side's own centroid is subtracted.

    What is left is what an item says beyond the average of its side: moving a cloud as a whole does not change it.

    Args:
        image: (n, d) image embeddings (or audio).
        text: (n, d) text embeddings of the same items, or what a prior predicts; row by row or by key.
        n_boot: number of resamples of the items for the interval; 0: no interval.
        seed: of the resamples.

    Returns:
        The cosine; ``per_clip`` has that of each item.

    Raises:
        ShapeError: a shape does not fit, fewer than five items, or a vector is zero.
        SpaceError: the two sides come from different encoders or have different widths.

    Source: W. Liang et al., Mind the Gap, NeurIPS 2022, with centred sides.

    Example:
        >>> import numpy as np
        >>> from clipsonic_eval.metrics import matched_cosine, matched_cosine_centred
        >>> rng = np.random.default_rng(0)
        >>> content = rng.standard_normal((100, 8))
        >>> image, text = content + 10 * np.eye(8)[0], content + 10 * np.eye(8)[1]  # the same content on two cones
        >>> round(float(matched_cosine(image, text)), 1), round(float(matched_cosine_centred(image, text)), 1)
        (0.1, 0.9)
    """
    return score_pairs(MATCHED_COSINE_CENTRED, image, text, n_boot=n_boot, seed=seed)


@metric(UNMATCHED_COSINE)
def unmatched_cosine(image: Vectors, text: Vectors, *, n_boot: int = 2000, seed: int = 0) -> Score:
    """Return the mean cosine of an item with another item's pair; the interval is the jackknife's.

    Args:
        image: (n, d) image embeddings (or audio).
        text: (n, d) text embeddings of the same items, or what a prior predicts; row by row or by key.
        n_boot: unused, the interval needs no resamples.
        seed: written into the score.

    Raises:
        ShapeError: a shape does not fit, fewer than five items, or a vector is zero.
        SpaceError: the two sides come from different encoders or have different widths.

    Source: W. Liang et al., Mind the Gap, NeurIPS 2022.

    Example:
        >>> import numpy as np
        >>> from clipsonic_eval.metrics import matched_cosine, unmatched_cosine
        >>> x = np.eye(6)  # orthogonal items
        >>> float(matched_cosine(x, x)), float(unmatched_cosine(x, x))
        (1.0, 0.0)
        >>> unmatched_cosine(x, x).ci_method
        'jackknife'
    """
    return score_pairs(UNMATCHED_COSINE, image, text, n_boot=n_boot, seed=seed)


@metric(IMAGE_IMAGE_COSINE)
def image_image_cosine(image: Vectors, *, n_boot: int = 2000, seed: int = 0) -> Score:
    """Return the mean cosine of different images: how narrow their cone is. The interval is the jackknife's.

    Args:
        image: (n, d) image embeddings.
        n_boot: unused, the interval needs no resamples.
        seed: written into the score.

    Raises:
        ShapeError: a shape does not fit, fewer than five items, or a vector is zero.

    Source: W. Liang et al., Mind the Gap, NeurIPS 2022 (the cone effect).

    Example:
        >>> import numpy as np
        >>> from clipsonic_eval.metrics import image_image_cosine
        >>> narrow = np.random.default_rng(0).standard_normal((100, 8)) + 20 * np.eye(8)[0]
        >>> round(float(image_image_cosine(narrow)), 2)
        0.98
        >>> float(image_image_cosine(np.eye(8)))
        0.0
    """
    return score_pairs(IMAGE_IMAGE_COSINE, image, image, n_boot=n_boot, seed=seed)


@metric(TEXT_TEXT_COSINE)
def text_text_cosine(text: Vectors, *, n_boot: int = 2000, seed: int = 0) -> Score:
    """Return the mean cosine of different texts; see :func:`image_image_cosine`.

    Args:
        text: (n, d) text embeddings.
        n_boot: unused, the interval needs no resamples.
        seed: written into the score.

    Example:
        >>> import numpy as np
        >>> from clipsonic_eval.metrics import image_image_cosine, text_text_cosine
        >>> x = np.random.default_rng(0).standard_normal((20, 4)) + 1
        >>> float(text_text_cosine(x)) == float(image_image_cosine(x))
        True
    """
    return score_pairs(TEXT_TEXT_COSINE, text, text, n_boot=n_boot, seed=seed)


@metric(AUDIO_AUDIO_COSINE)
def audio_audio_cosine(audio: Vectors, *, n_boot: int = 2000, seed: int = 0) -> Score:
    """Return the mean cosine of different clips; see :func:`image_image_cosine`.

    Args:
        audio: (n, d) audio embeddings.
        n_boot: unused, the interval needs no resamples.
        seed: written into the score.

    Example:
        >>> import numpy as np
        >>> from clipsonic_eval.metrics import audio_audio_cosine, diversity
        >>> x = np.random.default_rng(0).standard_normal((20, 4)) + 1
        >>> bool(np.isclose(float(audio_audio_cosine(x)), 1 - float(diversity(x))))
        True
    """
    return score_pairs(AUDIO_AUDIO_COSINE, audio, audio, n_boot=n_boot, seed=seed)


@metric(WITHIN_COSINE)
def within_cosine(predicted: Vectors, *, n_boot: int = 2000, seed: int = 0) -> Score:
    """Return the mean cosine of different outputs of a prior; see :func:`image_image_cosine`.

    Args:
        predicted: (n, d) embeddings that a prior predicts.
        n_boot: unused, the interval needs no resamples.
        seed: written into the score.

    Example:
        >>> import numpy as np
        >>> from clipsonic_eval.metrics import within_cosine
        >>> collapsed = np.ones((10, 4))  # a prior that always predicts the same
        >>> round(float(within_cosine(collapsed)), 6)
        1.0
    """
    return score_pairs(WITHIN_COSINE, predicted, predicted, n_boot=n_boot, seed=seed)
