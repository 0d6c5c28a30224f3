"""Davidson's model of paired comparisons with ties: strengths of systems from who was preferred to whom.

P(a preferred) : P(equal) : P(b preferred) = πₐ : ν √(πₐ π_b) : π_b. Without ties this is the Bradley–Terry model. It
has a finite maximum if and only if no group of systems was never preferred to, nor found equal with, the rest.

Source: R. R. Davidson, On extending the Bradley-Terry model to accommodate ties in paired comparison experiments, 1970;
L. R. Ford, Solution of a ranking problem from binary comparisons, 1957 (when the maximum exists).
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csgraph

from clipsonic_eval.arraytypes import Float64, IntArray
from clipsonic_eval.errors import ShapeError

_STEPS, _TOLERANCE = 200, 1e-11


def davidson(a: IntArray, b: IntArray, outcomes: IntArray) -> tuple[Float64, float, Float64]:
    """Fit Davidson's model.

    Args:
        a: (n,) int, one system of each comparison, from 0.
        b: (n,) int, the other one.
        outcomes: (n,) int: 1 where ``a`` was preferred, −1 where ``b`` was, 0 where they were equal.

    Returns:
        (strengths, ties, influence): (k,) float64 log π, of mean zero; ν, 0 where nothing was found equal; (n, k)
        float64 first-order effect of each comparison on the strengths.

    Raises:
        ShapeError: a group of systems was never preferred to the rest, or nothing but ties.

    Example:
        >>> a, b = np.zeros(8, int), np.ones(8, int)
        >>> strengths, ties, _ = davidson(a, b, np.array([1, 1, 1, 1, 0, 0, -1, 0]))
        >>> round(float(np.exp(strengths[0] - strengths[1])), 6), round(ties, 6)  # 4 : 1, and 3 / √(4 · 1)
        (4.0, 1.5)
    """
    n_systems = int(max(a.max(), b.max())) + 1
    _require_connected(a, b, outcomes, n_systems)
    tied = bool((outcomes == 0).any())
    if not (outcomes != 0).any():
        raise ShapeError("all pairs were found equal, so there are no strengths to tell")
    # log-linear in x: rows of outcomes a, equal, b; columns: systems, then log ν
    x = np.zeros((3, len(a), n_systems + tied))
    rows = np.arange(len(a))
    for outcome, (left, right) in enumerate(((1.0, 0.0), (0.5, 0.5), (0.0, 1.0))):
        x[outcome, rows, a], x[outcome, rows, b] = left, right
    if tied:
        x[1, :, -1] = 1.0
    chosen = x[1 - outcomes, rows]
    allowed = np.array([True, tied, True])
    parameters = np.zeros(x.shape[2])
    free = np.ones(len(parameters), bool)
    free[0] = False  # only ratios matter
    for _ in range(_STEPS):
        scores, information = _derivatives(parameters, x, chosen, allowed)
        step = np.zeros_like(parameters)
        step[free] = np.linalg.solve(information[np.ix_(free, free)], scores.sum(axis=0)[free])
        if float(step @ scores.sum(axis=0)) < _TOLERANCE:
            break
        parameters += step * min(1.0, 2.0 / float(np.abs(step).max()))
    else:
        raise ShapeError("the model of preferences did not converge: some systems were nearly always preferred")
    influence = np.zeros_like(scores)
    influence[:, free] = scores[:, free] @ np.linalg.inv(information[np.ix_(free, free)])
    strengths, own = parameters[:n_systems], influence[:, :n_systems]
    ties = float(np.exp(parameters[-1])) if tied else 0.0
    return strengths - strengths.mean(), ties, own - own.mean(axis=1, keepdims=True)


def _derivatives(parameters: Float64, x: Float64, chosen: Float64, allowed: Float64) -> tuple[Float64, Float64]:
    """Return the score of each comparison, (n, p), and the information, (p, p)."""
    utilities = np.where(allowed[:, None], x @ parameters, -np.inf)
    p = np.exp(utilities - utilities.max(axis=0))
    p /= p.sum(axis=0)
    expected = np.einsum("on,onp->np", p, x)
    information = np.einsum("on,onp,onq->pq", p, x, x, optimize=True) - expected.T @ expected
    return chosen - expected, information


def _require_connected(a: IntArray, b: IntArray, outcomes: IntArray, n_systems: int) -> None:
    """Raise unless every system can be reached from every other one by preferences and ties.

    Raises:
        ShapeError: it cannot; names the group.
    """
    better = np.zeros((n_systems, n_systems))
    better[a[outcomes >= 0], b[outcomes >= 0]] = 1
    better[b[outcomes <= 0], a[outcomes <= 0]] = 1
    groups, own = csgraph.connected_components(better, directed=True, connection="strong")
    if groups > 1:
        smallest = min(range(groups), key=lambda group: int((own == group).sum()))
        members = ", ".join(str(i) for i in np.flatnonzero(own == smallest))
        raise ShapeError(
            f"systems {members} always won or always lost against the rest, or were not compared with it, so their "
            "strengths are infinite"
        )
