"""From what each clip does to a statistic to its resamples: one number per clip instead of thousands of evaluations.

A statistic T of n clips is followed to first order, T* = T + sum_i (w_i - 1) g_i, where w are the weights of a resample
and g_i is the influence of clip i. Nothing is drawn twice into T itself: a U-statistic such as MMD or a
nearest-neighbour statistic never meets a copy of an item, which a plain bootstrap puts into every resample and which
spoils both (a copy is its own perfect match at distance zero). With g from the jackknife, the spread of T* is exactly
the jackknife's standard error; that is on average not below the true one for any symmetric statistic.

Source: B. Efron and R. J. Tibshirani, An Introduction to the Bootstrap, 1993 (section 20.5, the linear approximation);
B. Efron and C. Stein, The jackknife estimate of variance, 1981 (why it errs on the wide side).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from clipsonic_eval.arraytypes import Float64
from clipsonic_eval.stats.bootstrap import DAMPING

_CHUNK_VALUES = 4_000_000


def from_leave_one_out(without: Float64) -> Float64:
    """Return the influence of each clip, (n,), summing to 0, from the statistic without each clip in turn.

    Args:
        without: (n,) the statistic on the other n - 1 clips.
    """
    n = len(without)
    influence: Float64 = (without.mean() - without) * np.sqrt((n - 1) / n)
    return influence


def linear_deviations(influence: Float64, counts: NDArray[np.uint16]) -> Float64:
    """Return T* - T in each resample, with damped weights as all set metrics use them: counts (b, n) -> (b,).

    Args:
        influence: (n,) summing to 0.
        counts: (b, n) from :func:`~clipsonic_eval.stats.bootstrap.clip_weights`.
    """
    step = max(1, _CHUNK_VALUES // max(1, len(influence)))
    parts = [counts[i : i + step].astype(np.float64) @ influence for i in range(0, len(counts), step)]
    result: Float64 = DAMPING * (np.concatenate(parts) - influence.sum())
    return result
