"""Cumulative-link model of ordered categories: is a difference of mean opinions one of the scale?

Means take the steps between *bad*, *poor*, … and *excellent* to be equal. The proportional-odds model only takes them
to be ordered: P(answer ≤ k) = σ(θₖ − βₛ), with thresholds θ and one effect β per system. It is fitted to all answers as
if they were independent (a population-averaged model); errors come from :mod:`clipsonic_eval.stats.crossed` by the
influences of the answers.

Source: P. McCullagh, Regression models for ordinal data, 1980; K.-Y. Liang and S. L. Zeger, Longitudinal data analysis
using generalized linear models, 1986 (fitting as if independent).
"""

from __future__ import annotations

import numpy as np
from scipy import special

from clipsonic_eval.arraytypes import Float64, IntArray
from clipsonic_eval.errors import ShapeError

_STEPS, _TOLERANCE = 100, 1e-10
_LARGEST = 15.0  # log odds: beyond, the maximum lies at infinity


def proportional_odds(categories: IntArray, systems: IntArray) -> tuple[Float64, Float64]:
    """Fit the proportional-odds model.

    Args:
        categories: (n,) int, the answers, in their order; categories that nobody chose do not matter.
        systems: (n,) int, from 0.

    Returns:
        (effects, influence): (k,) float64 effects of the systems as log odds, that of system 0 zero; (n, k) float64
        first-order effect of each answer on them.

    Raises:
        ShapeError: one category only, or a system whose answers are all in the lowest or all in the highest one, or
            nothing overlaps: then an effect is infinite.
    """
    used, chosen = np.unique(categories, return_inverse=True)
    n_systems, n_classes = int(systems.max()) + 1, len(used)
    counts = np.zeros((n_systems, n_classes))
    np.add.at(counts, (systems, chosen), 1.0)
    _refuse_separation(counts)
    cumulative = (counts.sum(axis=0) + 0.5).cumsum()[:-1] / (counts.sum() + 0.5 * n_classes)
    parameters = np.concatenate([special.logit(cumulative), np.zeros(n_systems - 1)])
    for _ in range(_STEPS):
        value, scores, curvature = _likelihood(parameters, counts)
        gradient = np.einsum("sk,skp->p", counts, scores)
        step = np.linalg.solve(curvature, gradient)
        if float(gradient @ step) < _TOLERANCE:
            break
        size = 1.0
        while size > 1e-8 and not _likelihood(parameters + size * step, counts)[0] >= value:
            size /= 2
        parameters = parameters + size * step
        if float(np.abs(parameters[n_classes - 1 :]).max(initial=0.0)) > _LARGEST:
            raise ShapeError(
                "the answers of some systems do not overlap with the others', so their effects are infinite"
            )
    # θ̂ − θ ≈ Σⱼ I⁻¹ sⱼ
    influence = scores[systems, chosen] @ np.linalg.inv(curvature)
    own = slice(n_classes - 1, None)
    zeros = np.zeros((len(systems), 1))
    return np.concatenate([[0.0], parameters[own]]), np.concatenate([zeros, influence[:, own]], axis=1)


def _refuse_separation(counts: Float64) -> None:
    """Raise where a maximum lies at infinity: some systems' answers are all on one side of all others'.

    Args:
        counts: (systems, categories) float64.
    """
    if counts.shape[1] < 2:
        raise ShapeError("all answers are the same category, so an ordinal model has nothing to tell")
    lowest, highest = counts[:, 0] == counts.sum(axis=1), counts[:, -1] == counts.sum(axis=1)
    if (lowest | highest).any():
        system = int(np.flatnonzero(lowest | highest)[0])
        raise ShapeError(f"all answers of system {system} are the same extreme category, so its effect is infinite")


def _likelihood(parameters: Float64, counts: Float64) -> tuple[float, Float64, Float64]:
    """Return log-likelihood, score of an answer in each cell (s, k, p), and observed information (p, p)."""
    n_systems, n_classes = counts.shape
    n_thresholds = n_classes - 1
    thresholds = np.concatenate([[-np.inf], parameters[:n_thresholds], [np.inf]])
    effects = np.concatenate([[0.0], parameters[n_thresholds:]])
    if (np.diff(thresholds) <= 0).any():
        return -np.inf, np.empty(0), np.empty(0)
    ends = thresholds[None, :] - effects[:, None]
    cdf = special.expit(ends)
    pdf = cdf * (1 - cdf)
    slope = pdf * (1 - 2 * cdf)
    p = np.diff(cdf, axis=1)  # P(answer = k) = σ(θₖ − β) − σ(θₖ₋₁ − β)
    if (p <= 0).any():
        return -np.inf, np.empty(0), np.empty(0)
    upper, lower = pdf[:, 1:] / p, -pdf[:, :-1] / p  # ∂ log p / ∂ ends
    jacobian = np.zeros((2, n_systems, n_classes, len(parameters)))
    for k in range(n_thresholds):
        jacobian[0, :, k, k] = 1.0
        jacobian[1, :, k + 1, k] = 1.0
    for s in range(1, n_systems):
        jacobian[:, s, :, n_thresholds + s - 1] = -1.0
    jacobian[0, :, -1] = 0.0  # the outer ends are infinite
    jacobian[1, :, 0] = 0.0
    scores = upper[..., None] * jacobian[0] + lower[..., None] * jacobian[1]
    second = np.array([[slope[:, 1:] / p, np.zeros_like(p)], [np.zeros_like(p), -slope[:, :-1] / p]])
    # −∂² log p = s sᵀ − Jᵀ (second derivatives / p) J
    information = np.einsum("sk,skp,skq->pq", counts, scores, scores)
    information -= np.einsum("sk,abskx,askp,bskq->pq", counts, second[..., None], jacobian, jacobian)
    return float((counts * np.log(p)).sum()), scores, information
