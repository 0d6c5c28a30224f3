"""Inception score: how certain a classifier is of each clip, and how evenly the clips spread over the classes.

    IS = exp(mean over clips of KL(p(y|x) || p(y))),   p(y) = mean over the same clips of p(y|x)

From 1 (every clip gets the same answer) to the number of classes. It looks at no prompt and no reference: a system that
ignores its prompts can score well.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import entr, ndtri, rel_entr, stdtrit

from clipsonic_eval.arraytypes import Float64
from clipsonic_eval.errors import ShapeError
from clipsonic_eval.metrics._base import ClipInfluence, Inputs, MetricCard, SetMetric, metric
from clipsonic_eval.metrics._classes import log_probabilities
from clipsonic_eval.metrics.scoring import Vectors, score
from clipsonic_eval.stats.bootstrap import damped_weights, resample_counts
from clipsonic_eval.stats.chunking import chunks
from clipsonic_eval.stats.influence import linear_deviations
from clipsonic_eval.types import Score

SPLITS = 10
_SEED = 2020
# a bootstrap of ten divides by ten instead of nine, and its quantiles are the normal's instead of Student's
_WIDER = float(np.sqrt(SPLITS / (SPLITS - 1)) * stdtrit(SPLITS - 1, 0.975) / ndtri(0.975))
_SALIMANS = "T. Salimans et al., Improved Techniques for Training GANs, NeurIPS 2016"


def weighted_scores(probabilities: Float64, weights: Float64) -> Float64:
    """Return the inception score once for each row of weights; resamples are two matrix products.

    Args:
        probabilities: (n, classes) float64, p(y|x) of each clip.
        weights: (b, n) float64, positive sums.

    Returns:
        (b,) float64 scores, 1 to the number of classes.
    """
    total = weights.sum(axis=1)
    marginal = weights @ probabilities / total[:, None]
    inner = weights @ entr(probabilities).sum(axis=1) / total
    result: Float64 = np.exp(entr(marginal).sum(axis=1) - inner)  # mean KL(p ‖ mean p) = H(mean p) − mean H(p)
    return result


def score_influence(probabilities: Float64) -> Float64:
    """Return the derivative of the inception score in the weight of each clip.

    Args:
        probabilities: (n, classes) float64.

    Returns:
        (n,) float64, summing to 0.
    """
    divergences = rel_entr(probabilities, probabilities.mean(axis=0)).sum(axis=1)  # KL(p(y|x_i) ‖ p(y))
    mean = float(divergences.mean())
    result: Float64 = np.exp(mean) * (divergences - mean) / len(probabilities)  # ∂IS/∂w_i = IS (KL_i − mean KL) / n
    return result


def _probabilities(inputs: Inputs) -> tuple[tuple[str, ...], Float64]:
    keys, table = log_probabilities(inputs.system)
    return keys, np.exp(table)


def _value(inputs: Inputs) -> float:
    probabilities = _probabilities(inputs)[1]
    return float(weighted_scores(probabilities, np.ones((1, len(probabilities))))[0])


def _replicates(systems: Sequence[Inputs], n_boot: int, seed: int) -> Float64:
    result = np.empty((len(systems), n_boot))
    for row, inputs in zip(result, systems, strict=True):
        keys, probabilities = _probabilities(inputs)
        counts = resample_counts(keys, n_boot, seed, "bootstrap-queries")
        for part in chunks(n_boot, len(keys)):
            row[part] = weighted_scores(probabilities, damped_weights(counts[part]))
    return result


def _influence(inputs: Inputs) -> ClipInfluence:
    return ClipInfluence.of(inputs, (score_influence(_probabilities(inputs)[1]), None))


# --- the mean over ten splits


def _scores_of_splits(inputs: Inputs) -> Float64:
    """Return the scores of the splits, (SPLITS,)."""
    probabilities = _probabilities(inputs)[1]
    n = len(probabilities)
    if n < SPLITS:
        raise ShapeError(f"inception_score_10_splits needs at least {SPLITS} clips, got {n}; take inception_score")
    # the convention's own generator: another one would deal the clips to other splits
    order = np.random.RandomState(_SEED).permutation(n)
    parts = [order[i * n // SPLITS : (i + 1) * n // SPLITS] for i in range(SPLITS)]
    return np.concatenate([weighted_scores(probabilities[part], np.ones((1, len(part)))) for part in parts])


def _split_replicates(systems: Sequence[Inputs], n_boot: int, seed: int) -> Float64:
    """Return resamples of the splits, to first order; their scores are independent and equally distributed."""
    counts = resample_counts([f"split-{i}" for i in range(SPLITS)], n_boot, seed, "bootstrap-splits")
    result = np.empty((len(systems), n_boot))
    for row, inputs in enumerate(systems):
        found = _scores_of_splits(inputs)
        result[row] = found.mean() + linear_deviations(_WIDER * (found - found.mean()) / SPLITS, counts)
    return result


def _card(name: str, title: str, description: str, min_n: int, splits: str) -> MetricCard:
    return MetricCard(
        name=name,
        title=title,
        description=description,
        unit="effective classes",
        higher_is_better=True,
        role="classifier",
        encoder="toy-audio-classes",
        needs=(),
        min_n=min_n,
        biased_in_n=True,
        signature=f"prob:softmax|rows:mean-probability|splits:{splits}",
        source=_SALIMANS,
        decimals=2,
    )


INCEPTION_SCORE = SetMetric(
    _card("inception_score", "Inception score", "certainty and variety of the predicted classes", 2, "1"),
    _value,
    _replicates,
    lowest=1.0,
    fits_covariance=False,
    influence=_influence,
)
INCEPTION_SCORE_10_SPLITS = SetMetric(
    _card(
        "inception_score_10_splits",
        "Inception score, ten splits",
        "mean of the inception scores of ten splits, as toolkits print it",
        SPLITS,
        f"{SPLITS}|shuffle:randomstate-{_SEED}",
    ),
    lambda inputs: float(_scores_of_splits(inputs).mean()),
    _split_replicates,
    lowest=1.0,
    fits_covariance=False,
    details=lambda inputs: {"split_std": float(_scores_of_splits(inputs).std())},
    method="bootstrap-splits-t9",
)


@metric(INCEPTION_SCORE)
def inception_score(system: Vectors, *, n_boot: int = 2000, seed: int = 0) -> Score:
    """Return the inception score of a set of clips.

    Conventions: all clips at once, softmax probabilities, rows of a clip averaged as probabilities, no epsilon. It
    grows with the number of clips, so compare at equal n only; :func:`inception_score_10_splits` is smaller for the
    same clips, since each split has a tenth of them.

    Args:
        system: (rows, classes) log-probabilities in nats, one or more rows per clip.
        n_boot: number of resamples of the clips for the interval; 0: no interval.
        seed: of the resamples.

    Returns:
        The score, from 1 to the number of classes.

    Raises:
        ShapeError: fewer than two clips, or the rows are no log-probabilities.

    Source: T. Salimans et al., Improved Techniques for Training GANs, NeurIPS 2016, section 4.

    Example:
        >>> import numpy as np
        >>> from clipsonic_eval.metrics import inception_score
        >>> certain = np.log(np.tile(0.96 * np.eye(4) + 0.01, (10, 1)))  # each of four classes for ten clips
        >>> round(float(inception_score(certain, n_boot=0)), 2)
        3.38
        >>> round(float(inception_score(certain[:10], n_boot=0)), 2)  # fewer clips
        3.32
        >>> unsure = np.log(np.full((40, 4), 0.25))
        >>> round(float(inception_score(unsure, n_boot=0)), 2)
        1.0
    """
    return score(INCEPTION_SCORE, system, n_boot=n_boot, seed=seed)


@metric(INCEPTION_SCORE_10_SPLITS)
def inception_score_10_splits(system: Vectors, *, n_boot: int = 2000, seed: int = 0) -> Score:
    """Return the mean of the inception scores of ten splits, as the field's toolkits print it.

    Conventions of torch-fidelity and audioldm_eval: clips shuffled by NumPy's legacy generator with seed 2020 from the
    order of their keys, cut into ten runs, the score of each with its own p(y), their mean. The detail ``split_std`` is
    the population standard deviation over the splits that they print beside it. It is no interval: it is the spread of
    the tenths, not the uncertainty of the mean. The interval here has the standard error of a
    mean of ten and Student's t of 9 degrees of freedom; resampling clips within the splits is far too narrow for small
    splits.

    Args:
        system: (rows, classes) log-probabilities in nats, one or more rows per clip.
        n_boot: number of resamples of the splits for the interval; 0: no interval.
        seed: of the resamples.

    Returns:
        The mean score; ``details["split_std"]`` has the spread over the splits.

    Raises:
        ShapeError: fewer than ten clips, or the rows are no log-probabilities.

    Source: T. Salimans et al., Improved Techniques for Training GANs, NeurIPS 2016; torch-fidelity 0.4.

    Example:
        >>> import numpy as np
        >>> from clipsonic_eval.metrics import inception_score, inception_score_10_splits
        >>> clips = np.log(np.tile(0.96 * np.eye(4) + 0.01, (10, 1)))
        >>> score = inception_score_10_splits(clips)
        >>> score
        inception_score_10_splits of system: 2.17 [1.85, 2.48], n = 40
        >>> float(score) < float(inception_score(clips, n_boot=0))
        True
        >>> round(score.details["split_std"], 2)
        0.42
    """
    return score(INCEPTION_SCORE_10_SPLITS, system, n_boot=n_boot, seed=seed)
