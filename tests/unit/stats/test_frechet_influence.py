"""What each clip does to the Fréchet distance: against derivatives in 50 digits, and against leaving clips out."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

from clipsonic_eval.stats.frechet import Gaussian, squared_frechet
from clipsonic_eval.stats.frechet_influence import frechet_influence
from clipsonic_eval.stats.pairwise import Rows

RNG = np.random.default_rng


def root_of(covariance: mpmath.matrix) -> mpmath.matrix:
    values, vectors = mpmath.eigsy(covariance)
    return vectors * mpmath.diag([mpmath.sqrt(max(v, 0)) for v in values]) * vectors.T


def weighted_distance(sets: list[np.ndarray], weights: list[list[mpmath.mpf]]) -> mpmath.mpf:
    """Distance of weighted sets, covariances over the sum of weights less 1, by the textbook's formula."""
    means, covariances = [], []
    for x, w in zip(sets, weights, strict=True):
        rows, total = mpmath.matrix(x.tolist()), mpmath.fsum(w)
        mean = [mpmath.fsum(w[i] * rows[i, j] for i in range(rows.rows)) / total for j in range(rows.cols)]
        for i in range(rows.rows):
            for j in range(rows.cols):
                rows[i, j] = (rows[i, j] - mean[j]) * mpmath.sqrt(w[i] / (total - 1))
        means.append(mean)
        covariances.append(rows.T * rows)
    root = root_of(covariances[0])
    cross = root_of(root * covariances[1] * root)
    both = covariances[0] + covariances[1] - 2 * cross
    return mpmath.fsum((p - q) ** 2 for p, q in zip(*means, strict=True)) + sum(both[i, i] for i in range(both.rows))


@pytest.mark.parametrize(("n", "m"), [(8, 10), (8, 3)], ids=["full rank", "reference of rank 2"])
def test_it_is_the_derivative_in_50_digits_on_both_sides(n: int, m: int) -> None:
    rng = RNG(0)
    sets = [rng.standard_normal((n, 3)) @ rng.standard_normal((3, 3)), rng.standard_normal((m, 3)) + 0.5]
    gaussians = [Gaussian.fit(x) for x in sets]
    for side in (0, 1) if m > 3 else (0,):
        size = len(sets[side])
        found = frechet_influence(Rows(sets[side], np.arange(size)), gaussians[1 - side])
        assert found.sum() == pytest.approx(0, abs=1e-12)
        with mpmath.workdps(50):
            step = mpmath.mpf(10) ** -12
            for clip in (0, size - 1):
                ends = []
                for sign in (1, -1):
                    # along weights whose sum stays: one grows, all shrink
                    w = [1 + sign * step * ((i == clip) - mpmath.mpf(1) / size) for i in range(size)]
                    given = [[mpmath.mpf(1)] * len(x) for x in sets]
                    given[side] = w
                    ends.append(weighted_distance(sets, given))
                assert found[clip] == pytest.approx(float((ends[0] - ends[1]) / (2 * step)), rel=1e-9)


def test_leaving_a_clip_out_moves_the_distance_by_as_much() -> None:
    rng = RNG(1)
    x, y = rng.standard_normal((900, 4)) * 1.4 + 0.3, rng.standard_normal((500, 4))
    clip_of_row = np.repeat(np.arange(300), 3)
    found = frechet_influence(Rows(x, clip_of_row), Gaussian.fit(y))
    without = np.array([squared_frechet(x[clip_of_row != i], y) for i in range(300)])
    jackknife = without.mean() - without
    assert np.corrcoef(found, jackknife)[0, 1] > 0.999
    assert found.std() == pytest.approx(jackknife.std(), rel=0.02)


def test_unequal_numbers_of_rows_still_sum_to_nothing() -> None:
    rng = RNG(2)
    rows = Rows(rng.standard_normal((60, 3)), np.sort(rng.integers(0, 12, 60)))
    assert frechet_influence(rows, Gaussian.fit(rng.standard_normal((40, 3)))).sum() == pytest.approx(0, abs=1e-12)
