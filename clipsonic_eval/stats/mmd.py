"""Unbiased squared maximum mean discrepancy (MMD) of two sets of clips, with its leave-one-out values.

    MMD²_u = mean k(x, x′) + mean k(y, y′) − 2 mean k(x, y)

over pairs of rows of *different* clips within a set and over all pairs between the sets (the U-statistic). Its
expectation is the same at every n, so it needs no equal n and no extrapolation. It may be negative where the sets
hardly differ, and is about −2/n for a set and itself.

Source: A. Gretton et al., A Kernel Two-Sample Test, JMLR 2012 (lemma 6).
"""

from __future__ import annotations

import numpy as np

from clipsonic_eval.arraytypes import Float64
from clipsonic_eval.stats.pairwise import Kernel, LeaveOneOut, Rows, mean_between, mean_within, squared_distances


def mmd_squared(system: Rows, reference: Rows, kernel: Kernel, *, of_differences: bool = False) -> LeaveOneOut:
    """Return the unbiased squared MMD of two sets of at least three clips each, and without each clip.

    Args:
        system: (n, d) rows, measured from an origin near the reference.
        reference: (m, d) rows, measured from the same origin.
        kernel: (a, d), (b, d) -> (a, b).
        of_differences: the kernel depends on x − y alone. Pairs within a set are then measured from the set's own mean,
            so that a set far from the reference loses nothing to rounding.

    Returns:
        MMD²_u, ``without_first`` (clips of the system,) and ``without_second`` (clips of the reference,).

    Source: A. Gretton et al., 2012 (equation 3).

    Example:
        With the kernel x·y, MMD² is the squared distance of the means:

        >>> a = Rows(np.array([[1.0], [2.0], [3.0]]), np.arange(3))
        >>> b = Rows(a.vectors + 10.0, a.clip_of_row)
        >>> found = mmd_squared(a, b, lambda x, y: x @ y.T)
        >>> round(found.value, 6), found.without_first.shape  # (12 − 2)² − (s²_a + s²_b) / 3
        (99.333333, (3,))
    """
    inner = [_centred(rows) if of_differences else rows for rows in (system, reference)]
    own, other = mean_within(inner[0], kernel), mean_within(inner[1], kernel)
    between = mean_between(system, reference, kernel)
    return LeaveOneOut(
        own.value + other.value - 2 * between.value,
        own.without_first + other.value - 2 * between.without_first,
        own.value + other.without_first - 2 * between.without_second,
    )


def _centred(rows: Rows) -> Rows:
    return Rows(rows.vectors - rows.vectors.mean(axis=0), rows.clip_of_row)


def gaussian_kernel(bandwidth: float, epsilon: float = 0.0) -> Kernel:
    """Return the Gaussian kernel exp(−|x − y|² / (2 σ² + ε)).

    Args:
        bandwidth: σ, in units of the embeddings.
        epsilon: ε, which other packages add to the denominator.

    Example:
        >>> gaussian_kernel(1.0)(np.array([[0.0]]), np.array([[0.0], [2.0]])).round(4)
        array([[1.    , 0.1353]])
    """
    scale = -1 / (2 * bandwidth**2 + epsilon)

    def kernel(x: Float64, y: Float64) -> Float64:
        values = squared_distances(x, y)
        values *= scale
        return np.exp(values, out=values)

    return kernel


def inverse_quadratic_kernel(bandwidth: float, epsilon: float = 0.0) -> Kernel:
    """Return the inverse quadratic kernel 1 / (1 + |x − y|² / (2 σ² + ε)); arguments as in :func:`gaussian_kernel`.

    Example:
        >>> inverse_quadratic_kernel(1.0)(np.array([[0.0]]), np.array([[0.0], [2.0]])).round(4)
        array([[1.    , 0.3333]])
    """
    scale = 1 / (2 * bandwidth**2 + epsilon)

    def kernel(x: Float64, y: Float64) -> Float64:
        values = squared_distances(x, y)
        values *= scale
        values += 1
        return np.reciprocal(values, out=values)

    return kernel


def inverse_multiquadric_kernel(bandwidth: float, epsilon: float = 0.0) -> Kernel:
    """Return the inverse multiquadric kernel (1 + |x − y|² / (2 σ² + ε))^−½, with heavier tails.

    Arguments as in :func:`gaussian_kernel`.

    Example:
        >>> inverse_multiquadric_kernel(1.0)(np.array([[0.0]]), np.array([[0.0], [2.0]])).round(4)
        array([[1.    , 0.5774]])
    """
    inner = inverse_quadratic_kernel(bandwidth, epsilon)

    def kernel(x: Float64, y: Float64) -> Float64:
        values = inner(x, y)
        return np.sqrt(values, out=values)

    return kernel


def cubic_kernel(x: Float64, y: Float64) -> Float64:
    """Return (x·y / d + 1)³, the kernel of the kernel inception distance (KID).

    Args:
        x: (n, d) float64.
        y: (m, d) float64.

    Returns:
        (n, m) float64.

    Source: M. Bińkowski et al., Demystifying MMD GANs, ICLR 2018 (section 4).

    Example:
        >>> cubic_kernel(np.array([[2.0, 2.0]]), np.array([[1.0, 1.0]]))
        array([[27.]])
    """
    base = x @ y.T
    base /= x.shape[1]
    base += 1
    result = base * base
    result *= base
    return result
