"""``inception_score_10_splits``: the inception score as the field's toolkits print it, the mean over ten splits.

Conventions of torch-fidelity and audioldm_eval: clips shuffled by NumPy's legacy generator with seed 2020, cut into ten
runs, the score of each with its own p(y), their mean; the spread that they print beside it is the population standard
deviation over the splits, here the detail ``split_std``. It is no interval: it says how unlike the tenths are, not how
far the value would move with other clips; ours has the standard error of a mean of ten and Student's t of 9 degrees.
(Resampling clips within the splits is far too narrow where a split holds a handful.) Clips are shuffled from
the order of their keys, which is those toolkits' order where they list files by name.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import ndtri, stdtrit

from clipsonic_eval.arraytypes import Float64
from clipsonic_eval.errors import ShapeError
from clipsonic_eval.metrics._base import METRICS, Inputs, MetricCard, SetMetric
from clipsonic_eval.metrics._inception import probabilities_of, scores
from clipsonic_eval.stats.bootstrap import resample_counts
from clipsonic_eval.stats.influence import linear_deviations
from clipsonic_eval.types import Embeddings

SPLITS = 10
_SEED = 2020
# a bootstrap of ten divides by ten instead of nine, and its quantiles are the normal's instead of Student's
_WIDER = float(np.sqrt(SPLITS / (SPLITS - 1)) * stdtrit(SPLITS - 1, 0.975) / ndtri(0.975))


def inception_score_10_splits(log_probs: Embeddings) -> tuple[float, float]:
    """Return mean and population standard deviation of the inception scores of ten splits.

    Args:
        log_probs: (rows, classes) log-probabilities, one or more rows per clip.

    Raises:
        ShapeError: fewer than ten clips, or the vectors are no log-probabilities.
    """
    probabilities = probabilities_of(Inputs(log_probs))[1]
    found = _by_split(probabilities, np.ones((1, len(probabilities))))[:, 0]
    return float(found.mean()), float(found.std())


def _by_split(probabilities: Float64, weights: Float64) -> Float64:
    """Return the scores of the splits, (SPLITS, b), for weights (b, n)."""
    n = len(probabilities)
    if n < SPLITS:
        raise ShapeError(f"inception_score_10_splits needs at least {SPLITS} clips, got {n}; take inception_score")
    # the convention's own generator: another one would deal the clips to other splits
    order = np.random.RandomState(_SEED).permutation(n)
    parts = [order[i * n // SPLITS : (i + 1) * n // SPLITS] for i in range(SPLITS)]
    return np.stack([scores(probabilities[part], weights[:, part]) for part in parts])


def _value(inputs: Inputs) -> float:
    return inception_score_10_splits(inputs.system)[0]


def _replicates(systems: Sequence[Inputs], n_boot: int, seed: int) -> Float64:
    """Return resamples of the splits, to first order; their scores are independent and equally distributed."""
    counts = resample_counts([f"split-{i}" for i in range(SPLITS)], n_boot, seed, "bootstrap-splits")
    result = np.empty((len(systems), n_boot))
    for row, inputs in enumerate(systems):
        probabilities = probabilities_of(inputs)[1]
        found = _by_split(probabilities, np.ones((1, len(probabilities))))[:, 0]
        result[row] = found.mean() + linear_deviations(_WIDER * (found - found.mean()) / SPLITS, counts)
    return result


def _details(inputs: Inputs) -> dict[str, float]:
    return {"split_std": inception_score_10_splits(inputs.system)[1]}


METRICS.add(
    "inception_score_10_splits",
    SetMetric(
        MetricCard(
            name="inception_score_10_splits",
            title="Inception score, ten splits",
            description="mean inception score of ten splits",
            decimals=2,
            unit="effective classes",
            higher_is_better=True,
            role="classifier",
            encoder="toy-audio-classes",
            needs=(),
            min_n=SPLITS,
            biased_in_n=True,
            signature="prob:softmax|rows:mean-probability|splits:10|shuffle:randomstate-2020",
            source="T. Salimans et al., Improved Techniques for Training GANs, NeurIPS 2016",
        ),
        _value,
        _replicates,
        lowest=1.0,
        fits_covariance=False,
        details=_details,
        method="bootstrap-splits-t9",
    ),
)
