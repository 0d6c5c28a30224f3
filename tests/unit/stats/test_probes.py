"""Probes by kernel ridge regression, against direct formulas and limits."""

from __future__ import annotations

import numpy as np
import pytest

from clipsonic_eval.arraytypes import Float64
from clipsonic_eval.errors import ShapeError
from clipsonic_eval.stats.probes import PENALTIES, kernel_ridge

N, DIM = 200, 4


def points(n: int = N, seed: int = 0) -> Float64:
    return np.random.default_rng(seed).standard_normal((n, DIM))


def curve(x: Float64) -> Float64:
    return (np.sin(2 * x[:, :1]) + x[:, 1:2] ** 2).astype(np.float64)


@pytest.mark.parametrize("penalty", PENALTIES)
def test_predictions_are_those_of_the_formula_written_out(penalty: float) -> None:
    x, new = points(60), points(15, seed=1)
    y = curve(x)
    (read,) = kernel_ridge(x, [y], penalties=(penalty,))
    width = np.median([((a - b) ** 2).sum() for i, a in enumerate(x) for b in x[:i]])
    kernel = np.array([[np.exp(-((a - b) ** 2).sum() / width) for b in x] for a in x])
    cross = np.array([[np.exp(-((a - b) ** 2).sum() / width) for b in x] for a in new])
    expected = cross @ np.linalg.inv(kernel + penalty * np.eye(60)) @ (y - y.mean()) + y.mean()
    assert read(new) == pytest.approx(expected, abs=1e-6)


def test_without_a_penalty_the_training_points_are_met_and_with_a_huge_one_their_mean_remains() -> None:
    x = points(50)
    y = curve(x)
    (exact,), (flat,) = (kernel_ridge(x, [y], penalties=(p,)) for p in (1e-9, 1e9))
    assert exact(x) == pytest.approx(y, abs=1e-4)
    assert flat(points(5, seed=2)) == pytest.approx(np.full((5, 1), y.mean()), abs=1e-6)


def test_a_smooth_function_is_read_and_noise_is_not() -> None:
    x, new = points(), points(400, seed=1)
    noise = np.random.default_rng(2).standard_normal((N, 1))
    known, unknown = kernel_ridge(x, [curve(x), noise])
    truth = curve(new)
    assert 1 - ((known(new) - truth) ** 2).mean() / truth.var() > 0.9  # R²
    assert unknown(new).std() < 0.5 * noise.std()  # the largest penalty draws it to the mean


def test_each_target_has_the_penalty_that_serves_it() -> None:
    x = points()
    targets = [curve(x), np.random.default_rng(2).standard_normal((N, 1))]
    found = kernel_ridge(x, targets)
    for target, read, penalty in zip(targets, found, (PENALTIES[0], PENALTIES[-1]), strict=True):
        (alone,) = kernel_ridge(x, [target], penalties=(penalty,))
        if penalty == PENALTIES[-1]:
            assert read(x) == pytest.approx(alone(x))
        else:
            (heavy,) = kernel_ridge(x, [target], penalties=(PENALTIES[-1],))
            assert np.abs(read(x) - target).mean() < np.abs(heavy(x) - target).mean()


def test_classes_as_columns_sum_to_one() -> None:
    x = points()
    target = np.eye(3)[(x[:, 0] > 0).astype(int) + (x[:, 1] > 0)]
    (read,) = kernel_ridge(x, [target])
    found = read(points(50, seed=3))
    assert found.sum(axis=1) == pytest.approx(np.ones(50))


def test_equal_embeddings_give_the_mean() -> None:
    (read,) = kernel_ridge(np.ones((20, DIM)), [np.arange(20.0)[:, None]])
    assert read(np.ones((1, DIM)))[0, 0] == pytest.approx(9.5)


def test_a_fit_of_few_rows_or_of_another_length_is_refused() -> None:
    with pytest.raises(ShapeError, match="at least 10 embeddings"):
        kernel_ridge(points(9), [np.zeros((9, 1))])
    with pytest.raises(ShapeError, match="as many targets"):
        kernel_ridge(points(20), [np.zeros((19, 1))])
