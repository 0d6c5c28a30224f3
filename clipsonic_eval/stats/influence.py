"""The linear bootstrap: resamples of a statistic from one influence value per clip instead of thousands of evaluations.

A statistic T of n clips is followed to first order, T* = T + Σᵢ (wᵢ − 1) gᵢ, where w are the weights of a resample and
gᵢ is the influence of clip i. Nothing is drawn twice into T itself. A U-statistic such as MMD, or a nearest-neighbour
statistic, therefore never meets a copy of a clip, which a plain bootstrap puts into every resample and which spoils
both (a copy is its own perfect match at distance zero). With g from the jackknife, the spread of T* is exactly the
jackknife standard error; on average it is not below the true one for any symmetric statistic.

Source: B. Efron and R. J. Tibshirani, An Introduction to the Bootstrap, 1993 (section 20.5, the linear approximation);
B. Efron and C. Stein, The jackknife estimate of variance, 1981 (why it errs on the wide side).
"""

from __future__ import annotations

import numpy as np

from clipsonic_eval.arraytypes import Float64
from clipsonic_eval.stats.bootstrap import DAMPING, Counts, weighted_sums


def jackknife_influence(without: Float64) -> Float64:
    """Return the influence of each clip, from the statistic without each clip in turn.

    Args:
        without: (n,) float64, the statistic on the other n − 1 clips.

    Returns:
        (n,) float64, summing to 0.

    Example:
        The influence of a mean, to the factor √(n / (n − 1)) that makes its spread the jackknife standard error:

        >>> x = np.array([1.0, 2.0, 6.0])
        >>> jackknife_influence((x.sum() - x) / 2) / np.sqrt(3 / 2) * 3  # xᵢ − x̄
        array([-2., -1.,  3.])
    """
    n = len(without)
    influence: Float64 = (without.mean() - without) * np.sqrt((n - 1) / n)  # gᵢ = (θ₍·₎ − θ₍ᵢ₎) √((n − 1) / n)
    return influence


def linear_deviations(influence: Float64, counts: Counts) -> Float64:
    """Return T* − T in each resample, with damped weights as all set metrics use them.

    Args:
        influence: (n,) float64, summing to 0.
        counts: (n_boot, n) from :func:`~clipsonic_eval.stats.bootstrap.resample_counts`.

    Returns:
        (n_boot,) float64.

    Example:
        >>> linear_deviations(np.array([-1.0, 1.0]), np.array([[1, 1], [0, 2]], dtype=np.uint16))
        array([0., 1.])
    """
    result: Float64 = DAMPING * (weighted_sums(counts, influence) - influence.sum())  # Σᵢ δ (cᵢ − 1) gᵢ
    return result
