"""The inception score of sets of class distributions, in one piece or in splits, whole or resampled."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.special import entr, rel_entr

from clipsonic_eval.arraytypes import Float64
from clipsonic_eval.metrics._base import Inputs
from clipsonic_eval.metrics._classes import log_probabilities
from clipsonic_eval.stats.bootstrap import damped_weights, resample_counts
from clipsonic_eval.stats.chunking import chunks


def scores(probabilities: Float64, weights: Float64) -> Float64:
    """Return exp of the mean KL(p(y|x) || p(y)), once for each row of weights.

    By the identity mean KL(p || mean p) = H(mean p) - mean H(p), so that resamples are two matrix products.

    Args:
        probabilities: (n, classes).
        weights: (b, n), positive sums.

    Returns:
        (b,) scores, 1 to the number of classes.
    """
    total = weights.sum(axis=1)
    marginal = weights @ probabilities / total[:, None]
    inner = weights @ entr(probabilities).sum(axis=1) / total
    result: Float64 = np.exp(entr(marginal).sum(axis=1) - inner)
    return result


def probabilities_of(inputs: Inputs) -> tuple[tuple[str, ...], Float64]:
    """Return keys, sorted, and the class probabilities of their clips (n, classes)."""
    keys, table = log_probabilities(inputs.system)
    return keys, np.exp(table)


def influence(probabilities: Float64) -> Float64:
    """Return the derivative of the inception score in the weight of each clip, (n,), summing to 0.

    The derivative of the exponent is KL(p(y|x) || p(y)) of the clip, less the mean of all, over n.
    """
    n = len(probabilities)
    marginal = probabilities.mean(axis=0)
    divergences = rel_entr(probabilities, marginal).sum(axis=1)
    mean = float(divergences.mean())
    result: Float64 = np.exp(mean) * (divergences - mean) / n
    return result


def replicates(
    systems: Sequence[Inputs], n_boot: int, seed: int, statistic: Callable[[Float64, Float64], Float64]
) -> Float64:
    """Return a statistic of (probabilities, weights) in damped resamples of the clips, (systems, n_boot)."""
    result = np.empty((len(systems), n_boot))
    for row, inputs in zip(result, systems, strict=True):
        keys, probabilities = probabilities_of(inputs)
        counts = resample_counts(keys, n_boot, seed, "bootstrap-queries")
        for part in chunks(n_boot, len(keys)):
            row[part] = statistic(probabilities, damped_weights(counts[part]))
    return result
