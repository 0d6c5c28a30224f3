"""Nuclear norms (sums of singular values) from eigenvalues, with a bound on the digits lost.

The singular values of P are the square roots of the eigenvalues of P Pᵀ, which cost a third of a singular value
decomposition. Rounding moves each eigenvalue by about 1e-16 of the largest, so small singular values lose digits. How
many digits of the sum are lost is known afterwards; the caller decides whether the rest is enough.
"""

from __future__ import annotations

import numpy as np

from clipsonic_eval.arraytypes import Float64

_EPSILON = float(np.finfo(np.float64).eps)
_TINY = float(np.finfo(np.float64).tiny)


def nuclear_norms(matrices: Float64) -> tuple[Float64, Float64]:
    """Return the nuclear norms of a stack of matrices, and a bound on the rounding error of each.

    On spectra from flat to i⁻³ the error was at most a quarter of the bound, usually a thousandth.

    Args:
        matrices: (b, r, c) float64; quickest with r <= c.

    Returns:
        (norms, bounds), (b,) float64 each.

    Example:
        >>> norms, bounds = nuclear_norms(np.array([[[3.0, 0.0], [0.0, 4.0]]]))
        >>> float(norms[0]), bool(bounds[0] < 1e-12)
        (7.0, True)
    """
    eigenvalues = np.linalg.eigvalsh(matrices @ np.swapaxes(matrices, 1, 2))
    singular = np.sqrt(np.maximum(eigenvalues, 0))  # σᵢ(P) = λᵢ(P Pᵀ)^½
    moved = _EPSILON * np.maximum(eigenvalues[:, -1:], 0)  # |δλᵢ| ≲ ε λ_max
    # |δσᵢ| <= min(|δλᵢ|^½, |δλᵢ| / 2σᵢ)
    bounds = np.minimum(np.sqrt(moved), moved / np.maximum(2 * singular, _TINY)).sum(axis=1)
    return singular.sum(axis=1), bounds
