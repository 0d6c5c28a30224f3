"""Davidson's model: against choix where nothing is equal, closed forms, and a general optimiser."""

from __future__ import annotations

import choix
import numpy as np
import pytest
from scipy import optimize

from clipsonic_eval.errors import ShapeError
from clipsonic_eval.stats.preferences import davidson

TRUE = np.array([0.8, 0.1, -0.2, -0.7])


def drawn(seed: int, ties: float, n: int = 600) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    a = rng.integers(0, 4, n)
    b = (a + rng.integers(1, 4, n)) % 4
    p = np.stack([np.exp(TRUE[a]), ties * np.exp((TRUE[a] + TRUE[b]) / 2), np.exp(TRUE[b])])
    u = rng.random(n) * p.sum(axis=0)
    return a, b, np.where(u < p[0], 1, np.where(u < p[0] + p[1], 0, -1))


@pytest.mark.parametrize("seed", range(3))
def test_without_ties_strengths_are_those_of_choix(seed: int) -> None:
    a, b, outcomes = drawn(seed, 0.0)
    games = [(x, y) if won == 1 else (y, x) for x, y, won in zip(a, b, outcomes, strict=True)]
    theirs = choix.opt_pairwise(4, [tuple(map(int, game)) for game in games], tol=1e-9)
    strengths, ties, _ = davidson(a, b, outcomes)
    assert strengths == pytest.approx(theirs - theirs.mean(), abs=1e-4)
    assert ties == 0


def test_with_ties_strengths_maximise_the_likelihood() -> None:
    a, b, outcomes = drawn(3, 0.9)

    def loss(x: np.ndarray) -> float:
        left, right, even = x[a], x[b], x[4] + (x[a] + x[b]) / 2
        chosen = np.where(outcomes == 1, left, np.where(outcomes == 0, even, right))
        return float(np.logaddexp(np.logaddexp(left, right), even).sum() - chosen.sum()) + 1e-3 * x[:4].sum() ** 2

    best = optimize.minimize(loss, np.zeros(5), method="BFGS", options={"gtol": 1e-7}).x
    strengths, ties, influence = davidson(a, b, outcomes)
    assert strengths == pytest.approx(best[:4] - best[:4].mean(), abs=1e-4)
    assert ties == pytest.approx(np.exp(best[4]), rel=1e-4)
    assert np.abs(influence.sum(axis=0)).max() < 1e-6


def test_truth_comes_back_from_many_comparisons() -> None:
    strengths, ties, _ = davidson(*drawn(4, 0.6, 40_000))
    assert strengths == pytest.approx(TRUE - TRUE.mean(), abs=0.04)
    assert ties == pytest.approx(0.6, abs=0.03)


def test_influences_predict_what_leaving_a_comparison_out_does() -> None:
    a, b, outcomes = drawn(5, 0.5)
    strengths, _, influence = davidson(a, b, outcomes)
    kept = np.arange(len(a)) != 11
    assert davidson(a[kept], b[kept], outcomes[kept])[0] - strengths == pytest.approx(-influence[11], abs=2e-4)


def test_exchanging_sides_changes_nothing() -> None:
    a, b, outcomes = drawn(6, 0.5)
    assert davidson(b, a, -outcomes)[0] == pytest.approx(davidson(a, b, outcomes)[0])


@pytest.mark.parametrize(
    ("a", "b", "outcomes", "why"),
    [
        ([0, 0, 1], [1, 2, 2], [1, 1, 0], "systems 0 always won or always lost"),
        ([0, 0, 2, 2], [1, 1, 3, 3], [1, -1, 1, -1], "were not compared"),
        ([0, 0], [1, 1], [0, 0], "found equal"),
    ],
)
def test_strengths_that_would_be_infinite_are_refused(
    a: list[int], b: list[int], outcomes: list[int], why: str
) -> None:
    with pytest.raises(ShapeError, match=why):
        davidson(np.array(a), np.array(b), np.array(outcomes))
