"""What data say about a change for the worse: estimate, one-sided limits, one-sided p-value.

One function per error term, since a test is only as good as the units that it counts:

- :func:`evidence_from_pairs`: values per clip of two systems, paired.
- :func:`evidence_from_influences`: statistics of sets (FAD), from one stored number per clip.
- :func:`evidence_from_replicates`: the same from resamples of both systems.
- :func:`evidence_from_groups`: one value per training seed or process, two independent groups of them.

What follows from it stands in :mod:`clipsonic_eval.stats.decisions`.

Source: B. L. Welch, The generalization of 'Student's' problem when several different population variances are
involved, 1947; F. E. Satterthwaite, An approximate distribution of estimates of variance components, 1946.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import special

from clipsonic_eval.arraytypes import Float64
from clipsonic_eval.errors import ShapeError
from clipsonic_eval.stats.bootstrap import DAMPING, require_finite
from clipsonic_eval.stats.paired_shares import tango_limits
from clipsonic_eval.stats.sign_flips import TIE, one_sided_sign_flip

LEVEL: Final = 0.05  # of each one-sided limit
FEW: Final = 20  # differing pairs of hits and misses, below which flips of signs see too little
MIN_GROUPS: Final = 3  # training seeds or processes on each side


@dataclass(frozen=True, slots=True)
class Evidence:
    """An estimated change for the worse (harm) of one metric of one system, with its uncertainty.

    Attributes:
        harm: in the metric's unit; positive is worse, whatever the metric's direction.
        se: standard error of the harm, same unit.
        lower: lower end of the harm's one-sided 95 % interval.
        upper: upper end of the other one-sided 95 % interval.
        p_worse: one-sided p-value of the hypothesis that the harm is not positive.
        n: number of independent units behind the error term; with two groups of them, in the smaller group.
        unit: what they are: ``clips``, ``training seeds``, ``processes`` or ``pairs of processes``.
        test: name of the test, e.g. ``paired-sign-flip-hall-one-sided-10000``.
        df: degrees of freedom of the standard error; None where it comes from resamples.
    """

    harm: float
    se: float
    lower: float
    upper: float
    p_worse: float
    n: int
    unit: str
    test: str
    df: float | None = None


def evidence_from_pairs(harms: Float64, *, n_permutations: int = 10000, seed: int = 0) -> Evidence:
    """Return the evidence of paired differences, by random flips of their signs.

    The limits are those harms that the test does not reject, so the lower one is positive only where p is at most 0.05.
    Where they are of one size, as those of hits and misses, and fewer than :data:`FEW` are not zero, the limits are at
    least as wide as the score interval's, which allows for differing clips that did not happen to be drawn. Differences
    that are all zero leave nothing to test: no harm, without an error.

    Args:
        harms: (n,) float64, candidate minus baseline per clip where lower is better, otherwise the negative; n >= 5.
        n_permutations: number of random sign patterns.
        seed: of the patterns.

    Raises:
        ShapeError: fewer than five differences, or one that is not finite.

    Example:
        >>> found = evidence_from_pairs(np.array([1.0, 2.0, 3.0, 4.0, 5.0]))
        >>> found.harm, found.p_worse, found.lower > 0
        (3.0, 0.03125, True)
    """
    require_finite(harms, "paired differences")
    found = one_sided_sign_flip(harms, n_permutations, seed, LEVEL)
    n = len(harms)
    size = float(np.abs(harms).max())
    se = _rounded(float(harms.std(ddof=1)), size) / np.sqrt(n)
    lower, upper = found.lower, found.upper
    differing = np.abs(harms[harms != 0])
    if 0 < len(differing) < FEW and bool((differing == size).all()):
        limits = tango_limits(int((harms > 0).sum()), int((harms < 0).sum()), n, LEVEL)
        lower, upper = min(lower, size * limits[0]), max(upper, size * limits[1])
    return Evidence(float(harms.mean()), float(se), lower, upper, found.p, n, "clips", found.name, n - 1)


def evidence_from_influences(harm: float, system: Float64, reference: Float64) -> Evidence:
    """Return the evidence about the difference of two statistics of sets, from the influence of each clip.

    The variance of the difference is the sum of the squared differences of influence: of the clips of the two systems,
    paired by query, and of the reference's clips, which both systems are measured against. Where both systems lie so
    near the reference that its first-order terms are noise, the variance comes out up to twice too large; limits are
    too wide then, and never too narrow.

    Args:
        harm: difference of the two estimates, positive where the candidate is worse.
        system: (n,) float64, influence of each query's clip on the candidate's value less that on the baseline's.
        reference: (m,) float64, the same for the reference's clips; empty for a statistic without reference.

    Raises:
        ShapeError: fewer than two clips, or a number that is not finite.

    Example:
        >>> found = evidence_from_influences(2.0, np.array([0.6, -0.6]), np.array([0.3, 0.3, -0.6]))
        >>> round(found.se**2, 6)  # 2 · 0.36 + 2 · 0.09 + 0.36
        1.26
    """
    require_finite(np.concatenate([[harm], system, reference]), "the difference and its influences")
    if len(system) < 2 or len(reference) == 1:
        raise ShapeError(f"influences of {len(system)} clips and {len(reference)} of the reference; give at least 2")
    se = float(np.sqrt(system @ system + reference @ reference))  # se² = Σ (gᵢᴮ − gᵢᴬ)² + Σ (hⱼᴮ − hⱼᴬ)²
    df = min(len(x) for x in (system, reference) if len(x)) - 1
    return _student(harm, se, df, len(system), "clips", "influence-t")


def evidence_from_replicates(harm: float, replicates: Float64, *, n: int, unit: str = "clips") -> Evidence:
    """Return the evidence about the difference of two statistics of sets, from resamples of both.

    Limits are percentiles of the centred resamples, as in
    :func:`~clipsonic_eval.stats.bootstrap.centred_interval`; p is their share on the other side of zero.

    Args:
        harm: difference of the two estimates, positive where the candidate is worse.
        replicates: (n_boot,) float64, the same difference in each resample (damped weights), with both systems and the
            reference resampled alike.
        n: number of clips that were resampled.
        unit: of what was resampled.

    Raises:
        ShapeError: too few resamples, or a number that is not finite.

    Example:
        >>> found = evidence_from_replicates(1.0, 1.0 + np.linspace(-0.1, 0.1, 99), n=50)
        >>> found.p_worse, found.lower > 0
        (0.01, True)
    """
    require_finite(np.append(replicates, harm), "the difference and its resamples")
    if len(replicates) + 1 < 1 / LEVEL:
        raise ShapeError(f"{len(replicates)} resamples reach no p-value of {LEVEL}; give at least {round(1 / LEVEL)}")
    deviations = (replicates - replicates.mean()) / DAMPING  # (δ* − mean δ*) / damping
    extreme = int(np.count_nonzero(deviations <= -harm + TIE * abs(harm)))
    p = (1 + extreme) / (1 + len(replicates))  # p = (1 + #{δ + δ* <= 0}) / (1 + B)
    low, high = np.quantile(deviations, [LEVEL, 1 - LEVEL])
    test = f"paired-replicates-{len(replicates)}"
    return Evidence(harm, float(deviations.std(ddof=1)), float(harm + low), float(harm + high), p, n, unit, test)


def evidence_from_groups(
    a: Sequence[float], b: Sequence[float], unit: str, *, higher_is_better: bool = False
) -> Evidence:
    """Return the evidence about the difference of two groups of values, by Welch's t.

    Args:
        a: of the baseline, one value per training seed or process.
        b: of the candidate.
        unit: what there is a value of, e.g. ``training seeds``.
        higher_is_better: direction of the values.

    Raises:
        ShapeError: fewer than three on a side, or one that is not finite.

    Example:
        >>> found = evidence_from_groups([1.0, 2.0, 3.0], [2.0, 3.0, 4.0], "training seeds")
        >>> found.harm, round(found.df, 6), round(found.p_worse, 4)
        (1.0, 4.0, 0.1439)
    """
    groups = [np.asarray(group, np.float64) for group in (a, b)]
    require_finite(np.concatenate(groups), "values")
    if min(len(group) for group in groups) < MIN_GROUPS:
        raise ShapeError(f"{len(a)} and {len(b)} {unit}; the spread between them takes at least {MIN_GROUPS} a side")
    largest = float(np.abs(np.concatenate(groups)).max()) or 1.0
    groups = [group / largest for group in groups]
    sizes = np.array([len(group) for group in groups])
    variances = np.array([_rounded(float(group.std(ddof=1)), 1.0) for group in groups]) ** 2 / sizes
    total = float(variances.sum())
    # Satterthwaite: (Σ sᵢ²/nᵢ)² / Σ (sᵢ²/nᵢ)² / (nᵢ − 1)
    df = total**2 / float((variances**2 / (sizes - 1)).sum()) if total > 0 else float(sizes.sum() - 2)
    harm = _rounded(float(groups[1].mean() - groups[0].mean()), 1.0) * (-largest if higher_is_better else largest)
    return _student(harm, float(np.sqrt(total)) * largest, df, int(sizes.min()), unit, "welch-t")


def _student(harm: float, se: float, df: float, n: int, unit: str, test: str) -> Evidence:
    """Return evidence with limits and p-value of Student's t."""
    reach = float(special.stdtrit(df, 1 - LEVEL)) * se
    p = float(special.stdtr(df, -harm / se)) if se > 0 else float(harm <= 0)
    return Evidence(harm, se, harm - reach, harm + reach, p, n, unit, test, df)


def _rounded(number: float, largest: float) -> float:
    """Return 0 for what is rounding beside the largest number that it was computed from."""
    return 0.0 if abs(number) <= TIE * largest else number
