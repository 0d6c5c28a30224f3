"""Probes: what a regression that was fitted on some embeddings reads from others.

Kernel ridge regression with a Gaussian kernel, which has a closed form and no random start: an attribute counts as
known if a smooth function of the embedding tells it, whether or not a linear one does.

Source: C. Saunders, A. Gammerman and V. Vovk, Ridge Regression Learning Algorithm in Dual Variables, ICML 1998; the
width is the median heuristic, A. Gretton et al., A Kernel Two-Sample Test, JMLR 2012; probes: G. Alain and Y. Bengio,
Understanding intermediate layers using linear classifier probes, 2016.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from clipsonic_eval.arraytypes import Float64
from clipsonic_eval.errors import ShapeError

CONSTANT: Final = "constant"  # in tables: the mean of the targets, the answer that looks at no embedding
PENALTIES: Final = (1e-3, 1e-2, 1e-1, 1.0)
FOLDS: Final = 5
_WIDTH_ROWS: Final = 500  # whose distances give the width
Reader = Callable[[Float64], Float64]


def kernel_ridge(x: Float64, targets: Sequence[Float64], *, penalties: Sequence[float] = PENALTIES) -> list[Reader]:
    """Fit one reader per target.

    Every fifth row is held out to choose the penalty of each target, by squared error; then all rows are fitted.

    Args:
        x: (n, d) embeddings, n >= 10.
        targets: (n, k) each, e.g. a class as k columns of 0 and 1.
        penalties: λ to choose from.

    Returns:
        For each target a function of embeddings (m, d) to predictions (m, k).

    Raises:
        ShapeError: too few rows, or a target of another length.

    Example:
        >>> x = np.linspace(-1, 1, 50)[:, None]
        >>> (read,) = kernel_ridge(x, [x**2])
        >>> bool(abs(read(np.array([[0.5]])) - 0.25) < 0.01)
        True
    """
    if len(x) < 2 * FOLDS or any(len(target) != len(x) for target in targets):
        raise ShapeError(f"a probe needs at least {2 * FOLDS} embeddings and as many targets, got {len(x)}")
    width = median_squared_distance(x)
    held = np.arange(len(x)) % FOLDS == 0
    errors = _held_out_errors(x, targets, held, width, penalties)
    best = [penalties[int(np.argmin(row))] for row in errors]
    inverse = {penalty: _dual(x, width, penalty) for penalty in set(best)}
    return [_reader(x, target, inverse[penalty], width) for target, penalty in zip(targets, best, strict=True)]


def median_squared_distance(x: Float64) -> float:
    """Return the median of |x_i − x_j|² over pairs of up to 500 evenly spread rows, (n, d); 1 if all are equal."""
    some = x[np.linspace(0, len(x) - 1, min(len(x), _WIDTH_ROWS)).astype(int)]
    found = float(np.median(_squared_distances(some, some)[np.triu_indices(len(some), 1)]))
    return found if found > 0 else 1.0


def _held_out_errors(
    x: Float64, targets: Sequence[Float64], held: np.ndarray, width: float, penalties: Sequence[float]
) -> Float64:
    """Return the squared error on the held-out rows, (targets, penalties)."""
    errors = np.empty((len(targets), len(penalties)))
    for column, penalty in enumerate(penalties):
        solve = _dual(x[~held], width, penalty)
        for row, target in enumerate(targets):
            predicted = _reader(x[~held], target[~held], solve, width)(x[held])
            errors[row, column] = np.square(predicted - target[held]).sum()
    return errors


def _dual(x: Float64, width: float, penalty: float) -> Reader:
    """Return the function y -> (K + λI)⁻¹ y."""
    from scipy.linalg import cho_factor, cho_solve

    kernel = _kernel(x, x, width)
    kernel[np.diag_indices(len(x))] += penalty
    factor = cho_factor(kernel, overwrite_a=True, check_finite=False)
    return lambda y: np.asarray(cho_solve(factor, y, check_finite=False))


def _reader(x: Float64, target: Float64, solve: Reader, width: float) -> Reader:
    mean = target.mean(axis=0)
    weights = solve(target - mean)
    return lambda new: _kernel(new, x, width) @ weights + mean  # ŷ = k(x)ᵀ (K + λI)⁻¹ (y − ȳ) + ȳ


def _kernel(a: Float64, b: Float64, width: float) -> Float64:
    """Return exp(−|a_i − b_j|² / width), (n, d), (m, d) -> (n, m)."""
    kernel: Float64 = np.exp(-_squared_distances(a, b) / width)
    return kernel


def _squared_distances(a: Float64, b: Float64) -> Float64:
    """Return |a_i − b_j|², (n, d), (m, d) -> (n, m)."""
    squares: Float64 = (a * a).sum(axis=1)[:, None] + (b * b).sum(axis=1) - 2 * a @ b.T
    return np.maximum(squares, 0)
