"""Tests of two systems on the same queries.

- :func:`sign_flip`: values by clip (CLAP score, accuracy). Under the null each paired difference is as likely with the
  other sign; no distribution is assumed.
- :func:`replicate_test`: statistics of whole sets (FAD). Both systems are resampled with the same clips and against the
  same resamples of the reference, so that what they share cancels.
- :func:`holm`: many tests in one table.

Source: B. Phipson and G. K. Smyth, Permutation p-values should never be zero, 2010; S. Holm, A simple sequentially
rejective multiple test procedure, 1979; J. Cohen, Statistical power analysis, 1988 (d_z).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from clipsonic_eval import seeds
from clipsonic_eval.stats.bootstrap import DAMPING, Interval, centred

Float64 = NDArray[np.float64]

_CHUNK_VALUES = 4_000_000
_TIE = 1e-12  # sums that differ by rounding count as equal


def sign_flip(differences: Float64, n_permutations: int, seed: int) -> tuple[float, str]:
    """Return the two-sided p-value of a mean paired difference and the name of the test.

    Args:
        differences: (n,) value of one system minus the other, by clip.
        n_permutations: random sign patterns; all 2^n are taken instead where that is fewer.
        seed: the run's seed.

    Returns:
        (p, name). The observed pattern counts as one of the random ones, so p is never zero.
    """
    n = len(differences)
    observed = abs(float(differences.sum())) * (1 - _TIE)
    if 2**n <= n_permutations:
        patterns = (np.arange(2**n)[:, None] >> np.arange(n)) & 1
        sums = np.abs((1 - 2 * patterns) @ differences)
        return float(np.mean(sums >= observed)), f"paired-sign-flip-exact-{2**n}"
    rng = seeds.stream(seed, "", "sign-flip")
    step = max(1, _CHUNK_VALUES // n)
    extreme = 0
    for start in range(0, n_permutations, step):
        size = (min(step, n_permutations - start), n)
        signs = 1.0 - 2.0 * rng.integers(0, 2, size=size, dtype=np.int8)
        extreme += int(np.count_nonzero(np.abs(signs @ differences) >= observed))
    return (1 + extreme) / (1 + n_permutations), f"paired-sign-flip-{n_permutations}"


def replicate_test(difference: float, replicates: Float64, level: float = 0.95) -> tuple[float, Interval]:
    """Return the two-sided p-value and the interval of a difference of two set statistics.

    Args:
        difference: of the two estimates.
        replicates: (n_boot,) the same difference in each resample, damped weights, both systems and the reference
            resampled alike.
        level: of the interval.

    Returns:
        (p, interval): p is the share of centred replicates at least as far from zero, the estimate counted as one.
    """
    deviations = np.abs(replicates - replicates.mean()) / DAMPING
    extreme = int(np.count_nonzero(deviations >= abs(difference) * (1 - _TIE)))
    return (1 + extreme) / (1 + len(replicates)), centred(difference, replicates, level)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return Holm's adjusted p-values, in the order given; they control the family-wise error rate."""
    p = np.asarray(p_values, np.float64)
    order = np.argsort(p, kind="stable")
    steps = np.maximum.accumulate(p[order] * (len(p) - np.arange(len(p))))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(steps, 1.0)
    return [float(v) for v in adjusted]


def cohen_dz(differences: Float64) -> float | None:
    """Return the mean paired difference in units of its standard deviation; None where that is zero or n < 2."""
    if len(differences) < 2:
        return None
    spread = float(differences.std(ddof=1))
    centre = float(differences.mean())
    if spread <= _TIE * max(1.0, abs(centre)):
        return 0.0 if centre == 0 else None
    return centre / spread
